// The theme's switch, and live updates. Every page also works without this file.
"use strict";

const INTERVAL_MS = 1000;
const INTERVAL_AFTER_FAILURE_MS = 5000;
const root = document.documentElement;

function isDark() {
  const chosen = root.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function setUpTheme(button) {
  const name = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", isDark() ? "Use the light theme" : "Use the dark theme");
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("hansa-theme", root.dataset.theme);
    } catch {
      // not remembered, but switched
    }
    name();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  name();
  button.hidden = false;
}

// A part is left alone while somebody works in it: by keyboard, or selecting text.
function isInUse(part) {
  const selection = getSelection();
  const isSelecting = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  return isSelecting || (part !== document.activeElement && part.contains(document.activeElement));
}

function takeOver(part, fresh) {
  const scrolled = Array.from(part.querySelectorAll(".scroll"), (each) => each.scrollLeft);
  part.replaceChildren(...fresh.childNodes);
  part.querySelectorAll(".scroll").forEach((each, index) => {
    each.scrollLeft = scrolled[index] || 0;
  });
}

let tag = "";

async function update() {
  const headers = { Accept: "text/html" };
  if (tag) {
    headers["If-None-Match"] = tag;
  }
  const response = await fetch(location.href, { headers, cache: "no-store" });
  if (response.status === 304) {
    return;
  }
  if (!response.ok) {
    throw new Error(`status ${response.status}`);
  }
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  let isWhole = true;
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    if (!fresh) {
      continue;
    }
    if (isInUse(part)) {
      isWhole = false;
    } else {
      takeOver(part, document.importNode(fresh, true));
    }
  }
  tag = isWhole ? response.headers.get("ETag") || "" : "";
}

function setUpUpdates(button) {
  const notice = document.getElementById("notice");
  let isPaused = false;
  const tell = (text) => {
    if (notice.textContent !== text) {
      notice.textContent = text;
    }
  };
  const tick = async () => {
    let wait = INTERVAL_MS;
    if (!isPaused && !document.hidden) {
      try {
        await update();
        tell("");
      } catch {
        wait = INTERVAL_AFTER_FAILURE_MS;
        tell("The node does not answer. What you see is as of the block named above.");
      }
    }
    setTimeout(tick, wait);
  };
  button.addEventListener("click", () => {
    isPaused = !isPaused;
    button.setAttribute("aria-pressed", String(isPaused));
  });
  button.hidden = false;
  setTimeout(tick, INTERVAL_MS);
}

const themeButton = document.getElementById("theme");
const pauseButton = document.getElementById("pause");
if (themeButton) {
  setUpTheme(themeButton);
}
if (pauseButton) {
  setUpUpdates(pauseButton);
}
