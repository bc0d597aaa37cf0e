/**
 * The target `asyncify`: Binaryen's pass, between passes of our own that let a suspension wait for the end of a catch body,
 * and let stacks be deeper than the window.
 */
import { FiberError } from '../errors.ts';
import { functionImports, functionName } from './binary/module.ts';
import type { Binaryen, BinaryenModule, PassArgument, Ref } from './binaryen.ts';
import { enumerate } from './lists.ts';
import { emit, optimise, readModule } from './optimizer.ts';
import type { Callee } from './binary/code-writer.ts';
import { addCatchDepth } from './passes/catch-depth.ts';
import { takeIndirectCalls } from './passes/indirect-calls.ts';
import { addSegments } from './passes/segments.ts';
import { hideTailCalls } from './passes/tail-calls.ts';
import { addSwitching } from './passes/switching.ts';
import { WAIT } from './passes/waits.ts';
import { OUT_OF_LINE } from './passes/window.ts';
import { describe } from './plan.ts';
import type { Plan, Report, Rewritten } from './plan.ts';
import type { Preparation } from './preparation.ts';
import { OTHER_TARGET, referenceSuspects, unsupported } from './refuse.ts';
import { cannotFlatten } from './select.ts';
import { RESUMED } from './fast-path/bodies.ts';
import { NotFlat } from './fast-path/branch-values.ts';
import { attachLocations, NO_LOCATIONS } from './source-map.ts';
import type { Locations } from './source-map.ts';
import { Walker } from './walk.ts';

export function rewriteForAsyncify(
  binaryen: Binaryen,
  plan: Plan,
  preparation: Preparation,
  report: Report,
): Rewritten {
  const module = readModule(binaryen, plan, preparation);
  try {
    return new Rewriter(binaryen, plan, preparation, module).run(report);
  } finally {
    module.dispose();
  }
}

/** What has been done to the functions that may suspend. */
interface Instrumented {
  /** Bytes. */
  readonly largestFrame: number;
  /** How many they are. */
  readonly instrumented: number;
}

class Rewriter {
  readonly #binaryen: Binaryen;
  readonly #plan: Plan;
  readonly #preparation: Preparation;
  readonly #module: BinaryenModule;
  readonly #walker: Walker;
  /** Binaryen's name of every function, by index in the prepared module. */
  readonly #names: readonly string[];
  #locations: Locations = NO_LOCATIONS;

  constructor(binaryen: Binaryen, plan: Plan, preparation: Preparation, module: BinaryenModule) {
    this.#binaryen = binaryen;
    this.#plan = plan;
    this.#preparation = preparation;
    this.#module = module;
    this.#walker = new Walker(binaryen);
    const { raw } = this.#walker;
    this.#names = preparation.outline.functionTypes.map((_, index) =>
      raw.functionName(module.getFunctionByIndex(index)),
    );
  }

  run(report: Report): Rewritten {
    const { settings } = this.#plan;
    const { outline, sourceMap } = this.#preparation;
    report('preparing', 'preparing the module');
    this.#flattenOpaque();
    if (sourceMap !== null) this.#locations = attachLocations(this.#walker, this.#module, outline, sourceMap);
    const catchDepth = this.#addCatchDepth();

    report('instrumenting', settings.fastPath ? 'instrumenting the functions' : 'running Asyncify');
    const { largestFrame, instrumented } = settings.fastPath ? this.#addFastPaths() : this.#addAsyncify();

    if (settings.optimizeLevel > 0 || settings.shrinkLevel > 0) {
      report('optimising', 'optimising the instrumented module');
      optimise(this.#binaryen, this.#module, this.#plan, [
        ...OUT_OF_LINE,
        `${WAIT}*`,
        `${RESUMED}*`,
        ...this.#outOfLine(),
      ]);
    }
    const metadata = describe(this.#plan, { largestFrame, catchDepth });

    report('writing', 'writing the instrumented module');
    const emitted = emit(this.#binaryen, this.#walker, this.#module, this.#plan);
    return { ...emitted, metadata, instrumented };
  }

  /**
   * Operands of a few rare instructions are not shown by Binaryen's C interface. In flat form they are locals and
   * constants, so that nothing that a pass looks for can hide in them.
   */
  #flattenOpaque(): void {
    const { selection, settings } = this.#plan;
    const rigid = new Map(this.#rigid().map((index) => [this.#name(index), index]));
    const searched = new Set([...selection.instrumented, ...this.#leftOut()]);
    const hidden: string[] = [];
    for (const func of this.#walker.functions(this.#module)) {
      if (!this.#walker.tree(func).opaque) continue;
      const name = this.#walker.raw.functionName(func);
      const index = rigid.get(name);
      if (index === undefined) this.#module.runPassesOnFunction(name, ['flatten']);
      // Binaryen's pass knows what it does not show.
      else if (settings.fastPath && searched.has(index)) hidden.push(name);
    }
    if (hidden.length > 0) {
      throw unsupported(
        `${subject(this.#inSource(hidden), 'has', 'have')} a branch that tests a reference (br_on_null, br_on_cast and the like) beside an instruction whose operands Binaryen does not show (table.fill, table.copy, table.init and the like), so that calls in them cannot be found. ` +
          `Put one of the two into a function of its own. ${OTHER_TARGET}`,
      );
    }
  }

  /** The functions that Binaryen cannot bring into flat form, by index in the source. */
  #rigid(): number[] {
    const { graph, outline, analysis } = this.#plan;
    return analysis.functions
      .map((_, offset) => outline.importedFunctions + offset)
      .filter((index) => cannotFlatten(graph, index));
  }

  #addCatchDepth(): boolean {
    const { analysis, suspending, outline } = this.#plan;
    const { instrumented } = this.#plan.selection;
    if (
      !analysis.functions.some((each, offset) => each.legacyTry && instrumented.has(outline.importedFunctions + offset))
    )
      return false;
    const { waits } = this.#preparation;
    const reaching = new Set(
      [...suspending, ...instrumented, ...waits.map(({ func }) => func)].map((each) => this.#name(each)),
    );
    addCatchDepth(this.#walker, this.#module, (name) => reaching.has(name));
    return true;
  }

  /** @param callee by its index in the source, or an added one */
  #name(callee: Callee): string {
    const index = this.#preparation.indexOf(callee);
    const name = this.#names[index];
    if (name === undefined) throw new FiberError('INTERNAL', `There is no function ${index} in this module.`);
    return name;
  }

  #addAsyncify(): Instrumented {
    this.#runAsyncify();
    const { largestFrame, instrumented } = addSegments(this.#walker, this.#module);
    return { largestFrame, instrumented: instrumented.length };
  }

  #addFastPaths(): Instrumented {
    const { settings, selection } = this.#plan;
    const { raw } = this.#walker;
    const named = (indices: Iterable<number>): Set<string> => new Set([...indices].map((index) => this.#name(index)));
    const rewritten = named(selection.instrumented);
    const leftOut = named(this.#leftOut());
    const waits = this.#preparation.waits.map(({ func, imported, number }) => ({
      name: this.#name(func),
      imported: this.#name(imported),
      number,
    }));
    const reached = new Set([...waits.map(({ name }) => name), ...rewritten, ...leftOut]);
    const call = raw.id('Call');
    const indirect = raw.id('CallIndirect');
    const restore = this.#hideIndirectCalls();
    const functions = [...this.#walker.functions(this.#module)];
    const select = (wanted: ReadonlySet<string>): Ref[] =>
      functions.filter((func) => wanted.has(raw.functionName(func)));
    const switching = this.#named(() =>
      addSwitching(this.#walker, this.#module, select(rewritten), select(leftOut), waits, {
        isPoint: (id, expression) => {
          // What a tail call reaches returns to another function. Indirect calls that cannot suspend are hidden.
          if (id === indirect) return raw.call('CallIndirectIsReturn')(expression) === 0;
          if (id !== call || raw.call('CallIsReturn')(expression) !== 0) return false;
          return reached.has(raw.string(raw.call('CallGetTarget')(expression)));
        },
        mayCopy: settings.shrinkLevel === 0,
        isRewritten: (callee) => rewritten.has(callee),
        onCopy: (func, copy, original) => this.#locations.copy(func, copy, original),
      }),
    );
    restore();
    const { references, ...counted } = switching;
    if (references.length > 0) throw keepsReferences(this.#inSource(references));
    return counted;
  }

  /** Runs a pass, and says whose code it could not rewrite. */
  #named<T>(pass: () => T): T {
    try {
      return pass();
    } catch (error) {
      if (!(error instanceof NotFlat)) throw error;
      throw unsupported(
        `${subject(this.#inSource([error.func]), 'has', 'have')} a branch that tests a reference (br_on_null, br_on_cast and the like) out of a block in which code may suspend, with a value for it. ` +
          `Put the calls that may suspend into a function of their own. ${OTHER_TARGET}`,
      );
    }
  }

  /** Binaryen calls functions without a name by their index; in the source they may have an export. */
  #inSource(names: readonly string[]): string[] {
    const { outline } = this.#plan;
    const known = new Map(outline.functionTypes.map((_, index) => [this.#name(index), functionName(outline, index)]));
    return names.map((name) => known.get(name) ?? name);
  }

  /** @returns what brings them back */
  #hideIndirectCalls(): () => void {
    const { calls, callers } = this.#preparation.hidden;
    const hidden = {
      calls: calls.map(({ standIn, template, watched }) => ({
        standIn: this.#name(standIn),
        template: this.#name(template),
        watched,
      })),
      callers: new Set([...callers].map((index) => this.#name(index))),
    };
    return takeIndirectCalls(this.#walker, this.#module, hidden, (func, call, standIn) =>
      this.#locations.copy(func, call, standIn),
    );
  }

  #runAsyncify(): void {
    const { settings } = this.#plan;
    const { instrumented, added, removed } = this.#plan.selection;
    const argument = (key: PassArgument, value: string): void => this.#binaryen.setPassArgument(key, value);
    const { outline, suspending } = this.#plan;
    const imports = functionImports(outline);
    const listed = [...suspending].map((index) => {
      const each = imports[index];
      return each === undefined ? '' : `${each.module}.${each.name}`;
    });
    // An empty list would mean every import.
    argument('asyncify-imports', lines(listed.length === 0 ? ['wasm-fibers.'] : listed));
    const named = (wanted: ReadonlySet<number>): string => lines([...wanted].map((index) => this.#name(index)));
    if (settings.only.length > 0) argument('asyncify-onlylist', named(instrumented));
    if (settings.add.length > 0) {
      argument('asyncify-addlist', named(added));
      argument('asyncify-propagate-addlist', '1');
    }
    // Indirect calls are not hidden in functions that Asyncify could not rewrite.
    const rigid = settings.only.length > 0 ? [] : this.#rigid().filter((index) => !instrumented.has(index));
    const kept = new Set([...removed, ...rigid]);
    if (kept.size > 0) argument('asyncify-removelist', named(kept));
    if (settings.asserts) argument('asyncify-asserts', '1');
    this.#binaryen.setOptimizeLevel(ASYNCIFY_LEVEL);
    this.#binaryen.setShrinkLevel(0);
    const restoreIndirect = this.#hideIndirectCalls();
    const hasTailCalls = this.#plan.analysis.functions.some((each) => each.tailCalls);
    const restore = hasTailCalls ? hideTailCalls(this.#walker, this.#module) : null;
    try {
      this.#module.runPasses(['asyncify']);
    } catch (error) {
      this.#explainReferences(error);
      throw error;
    }
    restore?.();
    restoreIndirect();
  }

  /** Binaryen throws an empty exception for a reference alive across a suspension: finds the functions at fault. */
  #explainReferences(error: unknown): void {
    const { outline, analysis } = this.#plan;
    const { instrumented } = this.#plan.selection;
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) return;
    if (String(this.#binaryen.getExceptionMessage(error)).includes('asyncify_fake_call_global')) {
      throw unsupported(
        "This module calls functions that return references of several types which Binaryen's Asyncify pass takes for one, by their names. Instrument it without --no-fast-path.",
      );
    }
    const suspects = referenceSuspects(outline, analysis, instrumented);
    const guilty = suspects.length > 0 ? this.#guilty(suspects.slice(0, 64)) : this.#firstGuilty([...instrumented]);
    if (guilty.length > 0) throw keepsReferences(guilty.map((index) => functionName(outline, index)));
  }

  /** Whose blocks have values that are references, which no list of types tells: found by halving. */
  #firstGuilty(among: readonly number[]): readonly number[] {
    let left = among;
    while (left.length > 1) {
      const half = left.slice(0, left.length >> 1);
      left = this.#fails(half) ? half : left.slice(half.length);
    }
    return left.length === 1 && this.#fails(left) ? left : [];
  }

  /** Those that fail alone; then those that fail only if what they call may suspend. */
  #guilty(suspects: readonly number[]): readonly number[] {
    if (suspects.length === 1) return suspects;
    const { outline, analysis, selection } = this.#plan;
    const alone = suspects.filter((index) => this.#fails([index]));
    if (alone.length > 0) return alone;
    const withCallees = suspects.filter((index) => {
      const calls = analysis.functions[index - outline.importedFunctions]?.calls ?? [];
      return this.#fails([index, ...[...calls].filter((callee) => selection.instrumented.has(callee))]);
    });
    return withCallees.length > 0 ? withCallees : suspects;
  }

  /** Does Asyncify fail if it instruments these and no others? */
  #fails(indices: readonly number[]): boolean {
    const module = readModule(this.#binaryen, this.#plan, this.#preparation);
    try {
      this.#binaryen.setPassArgument('asyncify-addlist', null);
      this.#binaryen.setPassArgument('asyncify-removelist', null);
      this.#binaryen.setPassArgument('asyncify-onlylist', lines(indices.map((index) => this.#name(index))));
      module.runPasses(['asyncify']);
      return false;
    } catch {
      return true;
    }
  }

  /** Functions that trap if something below them suspends, by index in the source. */
  #leftOut(): number[] {
    const { graph, settings, suspending } = this.#plan;
    const { instrumented } = this.#plan.selection;
    if (!settings.asserts && !settings.closedTables) return [];
    return [...graph.reach(suspending).causes.keys()].filter((index) => !instrumented.has(index));
  }

  /** They stay out of line, so that the trap has their name. */
  #outOfLine(): string[] {
    const leftOut = this.#leftOut();
    return leftOut.length <= MAX_OUT_OF_LINE ? leftOut.map((index) => this.#name(index)) : [];
  }
}

function keepsReferences(functions: readonly string[]): FiberError {
  return unsupported(
    `${subject(functions, 'keeps', 'keep')} a reference (externref, funcref or a GC type) alive across a call that may suspend; such values cannot be written into memory. ` +
      `Keep it in a table or a global across the call, and a number in the function. ${OTHER_TARGET}`,
  );
}

/** The beginning of a sentence about functions. */
function subject(functions: readonly string[], one: string, several: string): string {
  const names = functions.map((name) => `"${name}"`);
  return names.length === 1
    ? `The function ${names[0] ?? ''} ${one}`
    : `The functions ${enumerate(names, 3)} ${several}`;
}

/**
 * Asyncify's own clean-up runs at this level whatever is asked for: below 1 frames are eight times as large and big functions
 * overflow the engine's stack; above, passes may rewrite the shapes that segments.ts looks for, for nothing measurable.
 */
const ASYNCIFY_LEVEL = 1;

/** With more functions than this, keeping them out of line would cost more time than their exact names are worth. */
const MAX_OUT_OF_LINE = 500;

/**
 * A list for a pass argument. Only between line breaks can names have commas and brackets in them, so there are always two
 * lines; what cannot stand in a line, or at the beginning of a list, is matched by a wildcard.
 */
function lines(names: readonly string[]): string {
  const safe = names.map((name) => name.replaceAll(/[\n\0]|^@|\s$/g, '*'));
  return `${[...safe, ...safe.slice(0, 1)].join('\n')}\n`;
}
