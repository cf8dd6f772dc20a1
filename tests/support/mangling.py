"""A page as extensions of the browser leave it."""

# As extensions that translate, correct or block: texts go into elements of their own, nodes are moved and removed.
MANGLE = """() => {
    const all = (root, kind) => {
        const walker = document.createTreeWalker(root, kind);
        const found = [];
        while (walker.nextNode()) found.push(walker.currentNode);
        return found;
    };
    const room = document.querySelector("#room");
    for (const text of all(room, NodeFilter.SHOW_TEXT)) {
        if (!text.data.trim() || text.parentNode.closest("textarea, svg")) continue;
        const [outer, inner] = [document.createElement("font"), document.createElement("font")];
        outer.append(inner);
        text.replaceWith(outer);
        inner.append(text.data);
    }
    for (const comment of all(room, NodeFilter.SHOW_COMMENT)) comment.remove();
    for (const field of room.querySelectorAll("textarea")) {
        field.dataset.gramm = "false";
        field.after(document.createElement("grammarly-extension"));
    }
    const rows = document.querySelectorAll("article.message");
    rows[rows.length - 1].after(rows[0]);
    document.querySelector("#rooms li").remove();
}"""
