// The headline and the progress bar. As in viewer.js, the template holds no data: Gradio would draw
// the widget anew with each value.

const find = (selector) => element.querySelector(selector);
find(".track").ariaLabel = props.name;
const fill = () => {
  const { headline, percent, soon, seconds, at } = props.value;
  if (at < element.at) return; // overtaken
  element.at = at;
  find(".headline").textContent = headline;
  find(".track").ariaValueNow = percent;
  // Move to what is done, then on to where the photo in progress will end. Four steps a second: a
  // transition draws sixty, with a processor that the model may be waiting for.
  const started = performance.now();
  const move = () => {
    const share = seconds ? Math.min((performance.now() - started) / 1000 / seconds, 1) : 1;
    find(".bar").style.transform = `scaleX(${(percent + share * (soon - percent)) / 100})`;
    if (share === 1 || !element.isConnected) clearInterval(element.moving);
  };
  clearInterval(element.moving);
  element.moving = setInterval(move, 250);
  move();
};
watch("value", fill);
fill();
