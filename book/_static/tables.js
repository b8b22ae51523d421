// Every table can be sorted: a button in each column's header sorts the rows of each body by themselves.
const value = (cell) => {
  const number = parseFloat(cell.dataset.value ?? cell.textContent.trim().replaceAll(",", "").replace("−", "-"));
  return Number.isNaN(number) ? cell.textContent.trim() : number;
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
// What scrolls must be in reach of a keyboard; what does not scroll is no stop on its way.
const reach = () => {
  for (const box of document.querySelectorAll(".stilts-table:not([role])")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
};
addEventListener("resize", reach);
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll(".bd-article table")) {
    if (table.tHead && [...table.tBodies].some((body) => body.rows.length > 2)) sortable(table);
  }
  reach();
});
