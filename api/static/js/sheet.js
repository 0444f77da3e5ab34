// Pages that are made for paper: a button that prints them.
document.querySelector("[data-print]")?.addEventListener("click", () => print());
