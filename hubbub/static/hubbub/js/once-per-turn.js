// Work that many changes ask for, such as showing them: done once for all changes of a turn of the event loop.

/**
 * @param {() => void} run
 * @returns {() => void} asks for a run, which follows when the scripts of this turn are done
 */
export function oncePerTurn(run) {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => {
      isDue = false;
      run();
    });
  };
}
