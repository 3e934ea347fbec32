/** What the page says, in English and Chinese. */

const ENGLISH = {
  title: "Expression",
  subtitle: "Faces and their expressions, read in your browser",
  otherLanguage: "中文",
  camera: "Camera",
  stop: "Stop",
  openFile: "Open a picture or video …",
  pause: "Pause",
  resume: "Go on",
  mirror: "Mirror",
  model: "Model",
  runsOn: "Runs on",
  float32: "Pushed model, float32",
  int8: "Pushed model, int8",
  server: "Server at {host}",
  dropHere: "Start the camera, or drop a picture or a video here.",
  loading: "Loading the model …",
  faces: "Faces",
  noFace: "No face found.",
  waiting: "…",
  modelSees: "What the model sees of face {id}",
  stage: "The picture, with a box around each face",
  announce: "{label}, {percent} %",
  announceMany: "{label}, {percent} %, and {more} more",
  rate: "{fps} frames/s, {ms} ms to a label",
  cameraDenied:
    "The browser was not allowed to use the camera. Allow it in the address bar and try again.",
  cameraMissing: "No camera could be opened. Connect one, or drop a picture or a video.",
  cameraGone: "The camera was unplugged. Connect it and start it again.",
  videoBroken: "This video cannot be played here. Try an MP4 (H.264) or WebM file.",
  pictureBroken: "This picture cannot be read. Try a JPEG, PNG or WebP file.",
  notAPicture: "This is neither a picture nor a video.",
  modelBroken: "The model could not be loaded: {reason}",
  serverGone: "The server does not answer; asking again soon. ({reason})",
  private: "The picture stays in this browser.",
  privateServer: "Only the faces' {size} × {size} crops go to {host}.",
};

export type MessageKey = keyof typeof ENGLISH;
export type Language = "en" | "zh";

const CHINESE: Record<MessageKey, string> = {
  title: "表情识别",
  subtitle: "在您的浏览器中识别人脸表情",
  otherLanguage: "English",
  camera: "摄像头",
  stop: "停止",
  openFile: "打开图片或视频…",
  pause: "暂停",
  resume: "继续",
  mirror: "镜像",
  model: "模型",
  runsOn: "运行方式",
  float32: "已发布模型，float32",
  int8: "已发布模型，int8",
  server: "服务器 {host}",
  dropHere: "打开摄像头，或将图片、视频拖到此处。",
  loading: "正在加载模型…",
  faces: "人脸",
  noFace: "未找到人脸。",
  waiting: "…",
  modelSees: "模型看到的人脸 {id}",
  stage: "画面，每张人脸都有方框",
  announce: "{label}，{percent}%",
  announceMany: "{label}，{percent}%，另有 {more} 张人脸",
  rate: "{fps} 帧/秒，{ms} 毫秒出结果",
  cameraDenied: "浏览器未获准使用摄像头。请在地址栏中允许后重试。",
  cameraMissing: "无法打开摄像头。请连接摄像头，或拖入图片或视频。",
  cameraGone: "摄像头已断开。请重新连接并打开。",
  videoBroken: "无法播放此视频。请使用 MP4（H.264）或 WebM 文件。",
  pictureBroken: "无法读取此图片。请使用 JPEG、PNG 或 WebP 文件。",
  notAPicture: "这既不是图片也不是视频。",
  modelBroken: "无法加载模型：{reason}",
  serverGone: "服务器没有回应，稍后重试。（{reason}）",
  private: "画面不会离开此浏览器。",
  privateServer: "只有 {size} × {size} 的人脸截图会发送到 {host}。",
};

const MESSAGES: Record<Language, Record<MessageKey, string>> = { en: ENGLISH, zh: CHINESE };

/** Names of FER2013's classes; other classes are shown as they are called in the data. */
const CLASS_NAMES: Record<Language, Record<string, string>> = {
  en: {},
  zh: {
    angry: "愤怒",
    disgust: "厌恶",
    fear: "恐惧",
    happy: "高兴",
    neutral: "平静",
    sad: "悲伤",
    surprise: "惊讶",
  },
};

/** A message with its `{places}` filled. */
export function message(
  language: Language,
  key: MessageKey,
  values: Record<string, string | number> = {},
): string {
  return MESSAGES[language][key].replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** A class as people call it. */
export function className(language: Language, label: string): string {
  return CLASS_NAMES[language][label] ?? label;
}

/** The language chosen before, or else the browser's. */
export function initialLanguage(): Language {
  const chosen = localStorage.getItem("language") ?? navigator.language;
  return chosen.toLowerCase().startsWith("zh") ? "zh" : "en";
}
