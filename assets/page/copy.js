// A button for each box that is there to be copied. Without a script a click selects all of it.
"use strict";
(() => {
for (const box of document.querySelectorAll("pre.whole")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    let copied = true;
    try {
      await navigator.clipboard.writeText(box.textContent);
    } catch {
      // Pages without a secure origin have no clipboard.
      getSelection().selectAllChildren(box);
      copied = document.execCommand("copy");
    }
    button.textContent = copied ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  box.before(button);
}
})();
