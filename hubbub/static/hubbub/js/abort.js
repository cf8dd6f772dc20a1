// Promises that an AbortSignal ends.

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal | undefined} signal
 * @param {() => void} [abort]  runs when the signal ends the promise
 * @returns {Promise<T>} rejects with the reason of the signal as soon as that is aborted
 */
export function untilAborted(promise, signal, abort = () => {}) {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const end = () => {
      abort();
      reject(signal.reason);
    };
    signal.addEventListener("abort", end, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", end));
  });
}
