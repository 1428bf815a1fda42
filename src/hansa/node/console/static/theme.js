// Before the first paint: the theme that was chosen on this device, if one was.
"use strict";
{
  let chosen = null;
  try {
    chosen = localStorage.getItem("hansa-theme");
  } catch {
    // storage is switched off: the system's theme it is
  }
  if (chosen === "light" || chosen === "dark") {
    document.documentElement.dataset.theme = chosen;
  }
}
