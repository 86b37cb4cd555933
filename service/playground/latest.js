/** Runs the newest of many wishes: an older run is cancelled, unless it is about to end. */

const PATIENCE = 60; // milliseconds for which a run may be waited for

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

  /** Wish for a run with what is true now; wishes of one moment are one. */
  ask(delay = 0) {
    this.#wanted = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#consider(), delay);
  }

  /** Leave it, now and whatever was wished for. */
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
