// The board: a card is dragged into another column, or moved by the box on it; both send the card's own form.

const frame = document.querySelector(".board");
let dragged = null;

frame.addEventListener("change", (event) => {
  const box = event.target.closest("select[name=state]");
  if (box?.value) box.form.requestSubmit();
});

frame.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.(".board-card");
  if (!dragged) return;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.dataset.id);
  const possible = dragged.dataset.moves.split(" ");
  for (const column of frame.children) column.classList.toggle("is-open", possible.includes(column.dataset.state));
});

const goal = (event) => {
  const column = event.target.closest(".board-column");
  return column?.classList.contains("is-open") ? column : null;
};

frame.addEventListener("dragover", (event) => {
  const column = goal(event);
  for (const one of frame.children) one.classList.toggle("is-over", one === column);
  if (column) event.preventDefault();
});

frame.addEventListener("drop", (event) => {
  const column = goal(event);
  if (!column || !dragged) return;
  event.preventDefault();
  const box = dragged.querySelector("select[name=state]");
  box.value = column.dataset.state;
  box.form.requestSubmit();
});

frame.addEventListener("dragend", () => {
  dragged = null;
  for (const column of frame.children) column.classList.remove("is-open", "is-over");
});

// Arrow keys go from card to card, up and down in a column and across to the next.
frame.addEventListener("keydown", (event) => {
  if (!event.key.startsWith("Arrow") || !event.target.matches(".board-card > a")) return;
  const card = event.target.closest(".board-card");
  const column = card.closest(".board-column");
  const place = [...card.parentElement.children].indexOf(card);
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  let next = null;
  if (step) next = card.parentElement.children[place + step];
  else {
    let beside = column;
    do beside = event.key === "ArrowRight" ? beside.nextElementSibling : beside.previousElementSibling;
    while (beside && !beside.querySelector(".board-card"));
    const cards = beside?.querySelectorAll(".board-card") ?? [];
    next = cards[Math.min(place, cards.length - 1)];
  }
  if (!next) return;
  event.preventDefault();
  next.querySelector("a").focus();
});
