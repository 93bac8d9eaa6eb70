// Translates what Gradio will draw, by a table from English to Chinese, and makes Gradio choose its
// own Chinese.
(table) => {
  const chinese = new Map(Object.entries(table));
  const translate = (node) => {
    for (const [key, value] of Object.entries(node ?? {}))
      if (typeof value === "object") translate(value);
      else if (chinese.has(value)) node[key] = chinese.get(value);
  };
  for (const component of gradio_config.components) translate(component.props);
  gradio_config.title = chinese.get(gradio_config.title) ?? gradio_config.title;
  Object.defineProperty(navigator, "language", { value: "zh-CN" });
}
