import type { Face } from "./analysis";
import { className, type Language, message } from "./messages";
import { argmax } from "./tracking";

/** Faces that have a card; the largest come first. */
const MOST_CARDS = 8;

/** The list beside the picture: for each face its crop, its label and a bar for each class. */
export class FaceList {
  private readonly cards = new Map<number, Card>();

  /** @param size side of the crops in pixels. */
  constructor(
    private readonly list: HTMLUListElement,
    private readonly size: number,
  ) {}

  show(faces: Face[], language: Language): void {
    const shown = faces.slice(0, MOST_CARDS);
    for (const [id, card] of this.cards) {
      if (shown.some(({ track }) => track.id === id)) continue;
      card.item.remove();
      this.cards.delete(id);
    }
    shown.forEach((face, i) => {
      const card = this.cards.get(face.track.id) ?? new Card(this.size);
      this.cards.set(face.track.id, card);
      card.show(face, language);
      if (this.list.children[i] !== card.item) {
        this.list.insertBefore(card.item, this.list.children[i] ?? null);
      }
    });
  }
}

class Card {
  readonly item = document.createElement("li");
  private readonly crop = document.createElement("canvas");
  private readonly label = document.createElement("h3");
  private readonly table = document.createElement("table");
  private names = "";

  constructor(private readonly size: number) {
    this.item.className = "face";
    this.crop.width = size;
    this.crop.height = size;
    this.crop.setAttribute("role", "img");
    this.item.append(this.crop, this.label, this.table);
  }

  show({ track, crop }: Face, language: Language): void {
    this.crop.setAttribute("aria-label", message(language, "modelSees", { id: track.id }));
    const image = new ImageData(this.size, this.size);
    for (const [i, value] of crop.entries()) image.data.set([value, value, value, 255], 4 * i);
    this.crop.getContext("2d")!.putImageData(image, 0, 0);
    const { probabilities, labels } = track;
    if (!probabilities || !labels) {
      setText(this.label, message(language, "waiting"));
      delete this.item.dataset.label;
      this.showBars(new Float32Array(), [], 0);
      return;
    }
    const top = argmax(probabilities);
    const names = labels.map((label) => className(language, label));
    this.item.dataset.label = labels[top];
    setText(this.label, names[top]!);
    this.showBars(probabilities, names, top);
  }

  private showBars(probabilities: Float32Array, names: string[], top: number): void {
    if (this.names !== names.join()) {
      this.names = names.join();
      this.table.replaceChildren(...names.map(barRow));
    }
    for (const [i, row] of [...this.table.rows].entries()) {
      row.className = i === top ? "top" : "";
      row.dataset.probability = String(probabilities[i]!);
      row.querySelector<HTMLElement>(".bar div")!.style.transform = `scaleX(${probabilities[i]!})`;
      setText(row.cells[2]!, `${Math.round(100 * probabilities[i]!)} %`);
    }
  }
}

function barRow(name: string): HTMLTableRowElement {
  const row = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = name;
  const bar = document.createElement("div");
  bar.className = "bar";
  bar.append(document.createElement("div"));
  row.append(head);
  row.insertCell().append(bar);
  row.insertCell();
  return row;
}

function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
