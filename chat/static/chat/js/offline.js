// The page that is shown without a network: it loads the wanted one when the network is back, or its tab is looked at.

addEventListener("online", () => location.reload());
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && location.reload());
