/** Find the place of each fault in a refusal: a step and a field, or a field beside the steps. */

/**
 * Read the pointers of a problem.
 * @returns {{step: number | null, path: string[], detail: string}[]}
 */
export function faultsOf(problem) {
  return problem.errors.map(({ pointer, detail }) => {
    const [root, ...path] = pointer
      .split("/")
      .slice(1)
      .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
    if (root === "spec" && path[0] === "steps" && path.length > 1)
      return { step: Number(path[1]), path: path.slice(2), detail };
    return { step: null, path: root === "spec" ? path : [root ?? "", ...path], detail };
  });
}
