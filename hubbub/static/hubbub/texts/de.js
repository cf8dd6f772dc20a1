// Made by `make messages` from the app's djangojs.po.
(globalThis.hubbubTexts ??= []).push({ plural: (n) => Number(n != 1), texts: {
  "Copied.": "Kopiert.",
  "Stopping after this step.": "Nach diesem Schritt ist Schluss.",
  "The connection has ended. Reload the page to try again.": "Die Verbindung ist beendet. Lade die Seite neu, um es noch einmal zu versuchen.",
  "The next rows follow automatically. Keep this page open.": "Die nächsten Zeilen folgen von selbst. Lass diese Seite offen.",
  "The server did not answer. Press “Continue” to try again.": "Der Server hat nicht geantwortet. Drücke „Weiter“, um es noch einmal zu versuchen.",
  "The server ended the connection: the page sent too much that it cannot read. Reload the page.": "Der Server hat die Verbindung beendet: Die Seite hat zu viel gesendet, das er nicht lesen kann. Lade die Seite neu.",
  "The text is selected. Copy it with Ctrl+C or ⌘C.": "Der Text ist ausgewählt. Kopiere ihn mit Strg+C oder ⌘C.",
  "Too many pages are open. Close some of them.": "Zu viele Seiten sind offen. Schließe einige davon.",
  "You are signed out. Sign in again.": "Du bist abgemeldet. Melde dich wieder an.",
  "You no longer have access.": "Du hast keinen Zugang mehr.",
  "Your account no longer has access.": "Dein Konto hat keinen Zugang mehr."
} });
