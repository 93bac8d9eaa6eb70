// Gradio's progress displays count seconds in every frame, even hidden ones, and the one of its
// loading screen never ends (6.31), which takes 5 % of a core from the model or the visitor's
// battery for as long as the page is open. One look a second is enough for them.
(() => {
  const frame = window.requestAnimationFrame;
  window.requestAnimationFrame = (draw) =>
    String(draw).includes("performance.now()") ? setTimeout(draw, 1000) : frame(draw);
})();
