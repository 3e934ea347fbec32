import { fetchJson } from "./fetching";
import { Page } from "./page";
import { fetchManifest } from "./pushed_model";
import { loadRuntime } from "./runtime";
import type { Endpoint } from "./serving";

/** What the page was served with. */
interface Settings {
  server: Endpoint | null;
}

const page = new Page();
window.addEventListener("unhandledrejection", ({ reason }) => page.showModelError(reason));
try {
  const [settings, manifest, accelerators] = await Promise.all([
    fetchJson<Settings>("settings.json"),
    fetchManifest(),
    loadRuntime(),
  ]);
  await page.start(manifest, accelerators, settings.server);
} catch (error) {
  page.showModelError(error);
}
