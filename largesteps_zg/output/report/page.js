// The line between photograph and picture, and what lies over the photograph.
"use strict";
(() => {
  const section = document.getElementById("pictures");
  if (!section) return;
  for (const slider of section.querySelectorAll(".pair input")) {
    const move = () => slider.parentNode.style.setProperty("--cut", slider.value + "%");
    slider.addEventListener("input", move);
    move();
  }
  for (const button of section.querySelectorAll("input[name=layer]")) {
    const show = () => { if (button.checked) section.dataset.layer = button.value; };
    button.addEventListener("change", show);
    show();
  }
})();
