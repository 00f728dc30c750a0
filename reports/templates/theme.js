/* Light or dark: as the system has it, or as was chosen here. Pages stand without it. */
"use strict";
(function () {
  var KEY = "costmodel-theme";
  var THEMES = ["as the system", "light", "dark"];
  var root = document.documentElement;

  /* Some browsers keep nothing for pages that lie in a folder. */
  function remembered() {
    try { return localStorage.getItem(KEY); } catch (error) { return null; }
  }

  function remember(theme) {
    try { localStorage.setItem(KEY, theme); } catch (error) { /* for this page only */ }
  }

  function show(theme) {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  }

  var theme = remembered();
  if (THEMES.indexOf(theme) < 0) theme = THEMES[0];
  show(theme);

  document.addEventListener("DOMContentLoaded", function () {
    var button = document.createElement("button");
    button.type = "button";
    button.className = "theme";
    button.textContent = "Theme: " + theme;
    button.addEventListener("click", function () {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      show(theme);
      remember(theme);
      button.textContent = "Theme: " + theme;
    });
    document.querySelector("nav").append(button);
  });
})();
