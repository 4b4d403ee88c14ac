"use strict";
/* Sorts the studies by the column whose heading is pressed: numbers from the largest, names from the first. */
(() => {
  const body = document.querySelector(".index tbody");
  const headings = [...document.querySelectorAll(".index thead th")];
  const valueOf = (row, column) => row.cells[column]?.dataset.value;
  const compared = (one, other) => one.localeCompare(other, undefined, { numeric: true });

  headings.forEach((heading, column) => heading.querySelector("button")?.addEventListener("click", () => {
    const names = column === 1;
    const before = heading.getAttribute("aria-sort");
    const falling = before ? before === "ascending" : !names;
    headings.forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const sign = falling ? -1 : 1;
    body.append(...[...body.rows].sort((one, other) => {
      const [first, second] = [valueOf(one, column), valueOf(other, column)];
      // those that failed have no values and stay below
      if (first === undefined || second === undefined) return (first === undefined) - (second === undefined);
      return sign * (names ? compared(first, second) : Number(first) - Number(second));
    }));
  }));
})();
