// Work that reads places and sizes: done once before the browser paints. Earlier it would cost a layout of its own.

/**
 * @param {() => void} run
 * @returns {() => void} asks for a run, which follows before the next frame is painted; a hidden page paints none
 */
export function oncePerFrame(run) {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      run();
    });
  };
}
