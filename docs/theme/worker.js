// Search from a folder: browsers refuse workers on file://, so there a worker is a hidden frame that runs its script.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      // In the frame, postMessage(data) is the worker's, to us; with a target it is ours, to the frame.
      const both = `const own = postMessage; postMessage = (data, to) => to ? own.call(window, data, to) : parent.postMessage(data, "*")`;
      frame.srcdoc = `<script>${both}</script><script src="${url}"></script>`;
      document.body.append(frame);
      this.loaded = new Promise(resolve => frame.addEventListener("load", () => resolve(frame.contentWindow)));
      addEventListener("message", event => {
        if (event.source === frame.contentWindow) this.dispatchEvent(new MessageEvent("message", { data: event.data }));
      });
    }
    postMessage(data) { this.loaded.then(frame => frame.postMessage(data, "*")); }
    terminate() {}
  };
}
