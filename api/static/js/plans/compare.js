// Two divisions: on one map, side by side, or one upon the other with a slider.

const shown = document.querySelector(".plan-compare");
const over = document.getElementById("plan-over");
const slide = document.getElementById("plan-slide");

for (const way of document.querySelectorAll(".plan-ways [name=way]")) {
  way.addEventListener("change", () => {
    shown.dataset.way = way.value;
  });
}

function place() {
  over.style.clipPath = `inset(0 0 0 ${slide.value}%)`;
}
slide.addEventListener("input", place);
place();
