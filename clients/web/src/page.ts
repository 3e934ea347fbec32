import { Analysis, type Face } from "./analysis";
import { Announcer } from "./announcer";
import type { Classifier } from "./classifier";
import { FaceDetector } from "./detector";
import { FaceList } from "./face_list";
import { className, initialLanguage, type MessageKey, message } from "./messages";
import { Player, type Source } from "./player";
import { type Manifest, type Precision, PushedModel } from "./pushed_model";
import type { Accelerator } from "./runtime";
import { type Endpoint, ServedModel } from "./serving";
import { openCamera, openPicture, openVideo, SourceError } from "./sources";
import { clearStage, drawStage } from "./stage";
import { likeliest, type Track } from "./tracking";

/** The page: controls, the source that is open, and what is shown of it. */
export class Page {
  private language = initialLanguage();
  private manifest!: Manifest;
  private endpoint: Endpoint | null = null;
  private classifier: Classifier | undefined;
  private analysis: Analysis | undefined;
  private list!: FaceList;
  private isCamera = false;
  /** How many times a model was chosen. */
  private loads = 0;
  /** What was chosen of each select when the model that runs was loaded. */
  private loaded: Map<HTMLSelectElement, string> | undefined;
  /** Of the source that is open; undefined until it was looked at. */
  private faces: Face[] | undefined;
  private notice: [MessageKey, Record<string, string>] | undefined;
  private readonly player = new Player(
    (frame, isMoving) => (isMoving ? this.analysis!.moving(frame) : this.analysis!.still(frame)),
    (faces) => this.show(faces),
  );
  private readonly announcer = new Announcer(element("announcement"));

  constructor() {
    this.translate();
    this.say("loading");
    for (const control of controls()) control.disabled = true;
    element("language").addEventListener("click", () => {
      this.language = this.language === "en" ? "zh" : "en";
      localStorage.setItem("language", this.language);
      this.translate();
      this.render();
    });
  }

  /** Takes the controls into use. */
  async start(
    manifest: Manifest,
    accelerators: Accelerator[],
    endpoint: Endpoint | null,
  ): Promise<void> {
    this.manifest = manifest;
    this.endpoint = endpoint;
    this.list = new FaceList(element("faces"), manifest.input_shape[0]);
    const model = element<HTMLSelectElement>("model");
    const pushed = ["float32", "int8"].filter((name) => `model_${name}.tflite` in manifest.files);
    for (const value of endpoint ? [...pushed, "server"] : pushed) {
      model.add(new Option(value, value));
    }
    const accelerator = element<HTMLSelectElement>("accelerator");
    for (const value of accelerators) {
      accelerator.add(new Option(value === "webgpu" ? "WebGPU" : "WebAssembly", value));
    }
    element("accelerator-setting").hidden = accelerators.length < 2;
    for (const select of [model, accelerator]) {
      select.addEventListener("change", () => this.loadModel());
    }
    this.listen();
    await this.loadModel();
  }

  /** Tells that no model can be used. */
  showModelError(error: unknown): void {
    this.say("modelBroken", { reason: error instanceof Error ? error.message : String(error) });
  }

  private listen(): void {
    element("camera").addEventListener("click", () => {
      if (this.isCamera) this.close();
      else
        void this.open(async () => ({ moving: await openCamera(() => this.cameraGone()) }), true);
    });
    const input = element<HTMLInputElement>("file");
    input.addEventListener("change", () => {
      this.openFile(input.files?.[0]);
      input.value = "";
    });
    element("pause").addEventListener("click", () => {
      this.player.togglePause();
      this.translate();
    });
    element("mirror").addEventListener("change", () => this.render());
    const frame = element("frame");
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      frame.classList.add("dropping");
    });
    document.addEventListener("dragleave", () => frame.classList.remove("dropping"));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      frame.classList.remove("dropping");
      this.openFile(event.dataTransfer?.files[0]);
    });
  }

  private async loadModel(): Promise<void> {
    const selects = ["model", "accelerator"].map((id) => element<HTMLSelectElement>(id));
    const chosen = new Map(selects.map((select) => [select, select.value]));
    const [choice, accelerator] = [...chosen.values()] as [string, Accelerator];
    this.say("loading");
    const load = ++this.loads;
    try {
      const size = this.manifest.input_shape[0];
      const detector = await FaceDetector.load(accelerator);
      const classifier =
        choice === "server" && this.endpoint
          ? new ServedModel(this.endpoint, size)
          : await PushedModel.load(this.manifest, choice as Precision, accelerator);
      const analysis = new Analysis(detector, classifier, size);
      // Another choice may have been made in the meantime.
      void (load === this.loads ? this.analysis : analysis)?.close();
      if (load !== this.loads) return;
      this.classifier = classifier;
      this.analysis = analysis;
      this.loaded = chosen;
      this.say();
      this.forget();
      void this.player.play();
    } catch (error) {
      if (load !== this.loads) return;
      this.showModelError(error);
      // The model before goes on, and the one that failed can be chosen again.
      this.loaded?.forEach((value, select) => {
        select.value = value;
      });
    }
    this.enable();
    this.translate();
  }

  /** Enables what is of use: without a model, only the choice of one. */
  private enable(): void {
    for (const control of controls()) {
      control.disabled = !this.analysis && !(control instanceof HTMLSelectElement);
    }
    element<HTMLButtonElement>("pause").disabled = !this.player.video;
  }

  /** Takes back what the model before said of what is shown. */
  private forget(): void {
    this.announcer.reset();
    if (this.faces) {
      this.faces = this.faces.map((face) => ({
        ...face,
        track: { ...face.track, probabilities: undefined },
      }));
      this.render();
    } else {
      this.list.show([], this.language);
      clearStage(element("stage"));
      element("no-face").hidden = true;
      element("placeholder").hidden = this.player.isOpen;
    }
  }

  private openFile(file: File | undefined): void {
    if (!file || !this.analysis) return;
    void this.open(async () => {
      if (file.type.startsWith("image/")) return { picture: await openPicture(file) };
      if (file.type.startsWith("video/")) return { moving: await openVideo(file) };
      throw new SourceError("notAPicture");
    }, false);
  }

  private async open(opening: () => Promise<Source>, isCamera: boolean): Promise<void> {
    this.close();
    try {
      if (!(await this.player.open(opening))) return;
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      this.say(error.key);
      return;
    }
    this.isCamera = isCamera;
    element<HTMLInputElement>("mirror").checked = isCamera;
    element("placeholder").hidden = true;
    this.enable();
    this.translate();
    await this.player.play();
  }

  private close(): void {
    this.player.close();
    this.announcer.reset();
    this.faces = undefined;
    this.isCamera = false;
    this.enable();
    this.say();
    this.translate();
  }

  private cameraGone(): void {
    this.close();
    this.say("cameraGone");
  }

  private show(faces: Face[]): void {
    this.faces = faces;
    this.render();
    // A moving picture asks again by itself, and without a face there is nothing to ask.
    if (this.analysis?.serverError && !this.player.isMoving && faces.length > 0) {
      this.player.playAfter(this.analysis.pause);
    }
  }

  private render(): void {
    const { faces } = this;
    if (!faces) return;
    const { serverError, latency } = this.analysis!;
    const tags = faces.map((face) => ({ face, text: this.describe(face.track) }));
    drawStage(
      element("stage"),
      this.player.frame,
      tags,
      element<HTMLInputElement>("mirror").checked,
    );
    this.list.show(faces, this.language);
    element("no-face").hidden = faces.length > 0;
    if (serverError) this.say("serverGone", { reason: serverError });
    else if (this.notice?.[0] === "serverGone") this.say();
    const [first, ...others] = faces;
    const key = first ? likeliest(first.track)?.label : "none";
    if (key) {
      const text = first ? this.describe(first.track, others.length) : this.text("noFace");
      this.announcer.announce(key + this.language, text);
    }
    const ms = Math.round(1000 * latency);
    const fps = this.player.framesPerSecond.toFixed(0);
    element("rate").textContent = this.player.video ? this.text("rate", { fps, ms }) : "";
  }

  /** @param more how many faces there are besides. */
  private describe(track: Track, more = 0): string {
    const top = likeliest(track);
    if (!top) return this.text("waiting");
    const label = className(this.language, top.label);
    const percent = Math.round(100 * top.probability);
    return this.text(more > 0 ? "announceMany" : "announce", { label, percent, more });
  }

  private say(key?: MessageKey, values: Record<string, string> = {}): void {
    this.notice = key && [key, values];
    const text = key ? this.text(key, values) : "";
    // Set only when it changes: a screen reader reads an alert whenever it is written.
    if (element("notice").textContent !== text) element("notice").textContent = text;
  }

  private text(key: MessageKey, values: Record<string, string | number> = {}): string {
    return message(this.language, key, values);
  }

  /** Writes all of the page's words in its language. */
  private translate(): void {
    document.documentElement.lang = this.language === "zh" ? "zh-Hans" : "en";
    document.title = this.text("title");
    for (const each of document.querySelectorAll<HTMLElement>("[data-message]")) {
      each.textContent = this.text(each.dataset.message as MessageKey);
    }
    element("language").lang = this.language === "zh" ? "en" : "zh-Hans";
    element("stage").setAttribute("aria-label", this.text("stage"));
    element("camera").textContent = this.text(this.isCamera ? "stop" : "camera");
    element("camera").setAttribute("aria-pressed", String(this.isCamera));
    element("pause").textContent = this.text(this.player.isPaused ? "resume" : "pause");
    const host = this.endpoint ? new URL(this.endpoint.url).host : "";
    for (const option of element<HTMLSelectElement>("model").options) {
      option.textContent = this.text(option.value as MessageKey, { host });
    }
    if (this.notice) this.say(...this.notice);
    this.showBackend(host);
  }

  private showBackend(host: string): void {
    element("backend").textContent = this.classifier?.name ?? "";
    const size = this.manifest?.input_shape[0];
    const isServed = this.classifier instanceof ServedModel;
    element("privacy").textContent = isServed
      ? this.text("privateServer", { host, size })
      : this.text("private");
  }
}

function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

function controls(): NodeListOf<HTMLButtonElement | HTMLInputElement | HTMLSelectElement> {
  return document.querySelectorAll("#view button, #view input, #view select");
}
