// Made by `make messages` from the app's djangojs.po.
(globalThis.hubbubTexts ??= []).push({ plural: (n) => Number(n != 1), texts: {
  "%(file)s is too large. A picture may have %(size)s MB.": "%(file)s ist zu groß. Ein Bild darf %(size)s MB haben."
} });
