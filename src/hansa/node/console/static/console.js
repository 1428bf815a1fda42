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

// Brings a part up to date node by node, so that what did not change does not move or flicker.
function takeOver(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) {
      old.data = fresh.data;
    }
    return;
  }
  for (const { name } of Array.from(old.attributes)) {
    if (!fresh.hasAttribute(name)) {
      old.removeAttribute(name);
    }
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) {
      old.setAttribute(name, value);
    }
  }
  const wanted = Array.from(fresh.childNodes);
  const present = Array.from(old.childNodes);
  wanted.forEach((node, index) => {
    if (index < present.length) {
      takeOver(present[index], node);
    } else {
      old.append(node);
    }
  });
  present.slice(wanted.length).forEach((node) => node.remove());
}

class Ended extends Error {}

let tag = "";

async function update() {
  // Nobody opens a page here: it does not make the session last.
  const headers = { Accept: "text/html", "X-Hansa-Update": "1" };
  if (tag) {
    headers["If-None-Match"] = tag;
  }
  const response = await fetch(location.href, { headers, cache: "no-store" });
  if (response.status === 304) {
    return;
  }
  if (response.status === 401 || response.status === 403) {
    throw new Ended();
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
      } catch (error) {
        wait = INTERVAL_AFTER_FAILURE_MS;
        tell(
          error instanceof Ended
            ? notice.dataset.ended || "Your session has ended. Load this page again to sign in."
            : notice.dataset.failure ||
                "The node does not answer. What you see is as of the block named above.",
        );
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

function setUpCopying(button) {
  const text = () => button.parentElement.querySelector("code").textContent;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(button.parentElement.querySelector("code"));
    }
    setTimeout(() => {
      button.textContent = "Copy";
    }, 2000);
  });
  button.hidden = false;
}

const themeButton = document.getElementById("theme");
const pauseButton = document.getElementById("pause");
if (themeButton) {
  setUpTheme(themeButton);
}
if (pauseButton) {
  setUpUpdates(pauseButton);
}
document.querySelectorAll("[data-copy]").forEach(setUpCopying);
