/** Run only the newest of many requests: an older run is cancelled, unless it is about to end. */

const PATIENCE = 60; // longest wait for a run that is about to end, in milliseconds

export class Latest {
  #work;
  #usual = 0;
  #wanted = false;
  #run = null;
  #timer = 0;

  /** @param {(signal: AbortSignal) => Promise<void>} work */
  constructor(work) {
    this.#work = work;
  }

  /** Request a run with the current state; simultaneous requests become one run. */
  ask(delay = 0) {
    this.#wanted = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#consider(), delay);
  }

  /** Cancel the current run and any requested one. */
  cancel() {
    this.#wanted = false;
    clearTimeout(this.#timer);
    this.#run?.controller.abort();
  }

  #consider() {
    if (!this.#wanted) return;
    if (this.#run) {
      const left = this.#run.started + this.#usual - performance.now();
      if (left > 0 && left < PATIENCE) {
        this.#timer = setTimeout(() => this.#consider(), left);
        return;
      }
      this.#run.controller.abort();
    }
    this.#start();
  }

  async #start() {
    this.#wanted = false;
    const run = { controller: new AbortController(), started: performance.now() };
    this.#run = run;
    try {
      await this.#work(run.controller.signal);
      this.#usual = performance.now() - run.started;
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    } finally {
      if (this.#run === run) {
        this.#run = null;
        if (this.#wanted) this.#consider();
      }
    }
  }
}
