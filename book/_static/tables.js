// Tables can be sorted: a button in each column's header sorts the rows of each body by themselves. A table with an
// unnamed column is a list of facts, and in one with an unnamed row several rows belong together: both keep their order.
const value = (cell) => {
  const text = cell.textContent.trim();
  const number = parseFloat(cell.dataset.value ?? text.replace("[", "").replaceAll(",", "").replace("−", "-"));
  return Number.isNaN(number) ? text : number;
};
const compare = (a, b) => {
  if (typeof a === typeof b) return typeof a === "number" ? a - b : a.localeCompare(b);
  return typeof a === "number" ? -1 : 1; // words and dashes after numbers
};
const sortable = (table) => {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "stilts-sort";
    button.setAttribute("aria-label", `Sort by ${head.textContent.trim() || "this column"}`);
    button.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") === "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      for (const body of table.tBodies) {
        const rows = [...body.rows].map((row) => [value(row.cells[column]), row]);
        rows.sort(([a], [b]) => (typeof a === "number" && typeof b === "number" && !rising ? b - a : compare(a, b)));
        body.append(...rows.map(([, row]) => row));
      }
    });
    (head.querySelector("p") ?? head).insertBefore(button, head.querySelector("small"));
  });
};
const named = (cell) => cell.textContent.trim() !== "";
const isSortable = (table) => {
  const bodies = [...table.tBodies];
  return table.tHead && bodies.some((body) => body.rows.length > 2) && [...table.tHead.rows[0].cells].every(named) &&
    bodies.every((body) => [...body.rows].every((row) => named(row.cells[0])));
};
// What scrolls must be in reach of a keyboard, and show that there is more; what does not scroll is no stop on its way.
const BOXES = ".stilts-table, .pst-scrollable-table-container";
const fade = (box) => box.toggleAttribute("data-more", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
const reach = () => {
  for (const box of document.querySelectorAll(BOXES)) {
    fade(box);
    if (!box.matches(".stilts-table:not([role])")) continue;
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
};
addEventListener("resize", reach);
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll(".bd-article table")) if (isSortable(table)) sortable(table);
  for (const box of document.querySelectorAll(BOXES)) box.addEventListener("scroll", () => fade(box), { passive: true });
  reach();
});
