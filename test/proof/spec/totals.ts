/** What all scripts came to, as text for people and as JSON. */
import path from 'node:path';
import type { Tally } from './judge.ts';
import type { Form } from './world.ts';

interface Total {
  passed: number;
  failed: number;
  waits: number;
  readonly notApplicable: Map<string, number>;
}

interface Failure {
  readonly script: string;
  readonly form: string;
  readonly line: number;
  readonly what: string;
}

const nameOf = ({ way, level }: Form): string => `${way} ${level}`;

export class Totals {
  readonly #root: string;
  readonly #forms: Map<string, Total>;
  readonly #failures: Failure[] = [];
  #scripts = 0;

  constructor(root: string, forms: readonly Form[]) {
    this.#root = root;
    this.#forms = new Map(
      forms.map((form) => [nameOf(form), { passed: 0, failed: 0, waits: 0, notApplicable: new Map() }]),
    );
  }

  add(file: string, tallies: readonly Tally[]): void {
    this.#scripts += 1;
    for (const { form, passed, waits, failures, notApplicable } of tallies) {
      const total = this.#forms.get(nameOf(form));
      if (total === undefined) continue;
      total.passed += passed;
      total.waits += waits;
      total.failed += failures.length;
      for (const [why, times] of notApplicable) {
        total.notApplicable.set(why, (total.notApplicable.get(why) ?? 0) + times);
      }
      const script = path.relative(this.#root, file);
      this.#failures.push(...failures.map((each) => ({ script, form: nameOf(form), ...each })));
    }
  }

  /** The process ended with the script. */
  lose(file: string, what: string): void {
    this.#failures.push({ script: path.relative(this.#root, file), form: '', line: 0, what });
  }

  get passed(): number {
    return [...this.#forms.values()].reduce((sum, each) => sum + each.passed, 0);
  }

  get failed(): number {
    return this.#failures.length;
  }

  line(): string {
    const none = [...this.#reasons().values()].reduce((sum, each) => sum + each, 0);
    return `${this.passed} passed, ${this.failed} failed, ${none} not applicable`;
  }

  #reasons(): Map<string, number> {
    const all = new Map<string, number>();
    for (const { notApplicable } of this.#forms.values()) {
      for (const [why, times] of notApplicable) all.set(why, (all.get(why) ?? 0) + times);
    }
    return new Map([...all].toSorted(([, a], [, b]) => b - a));
  }

  text(): string {
    const lines = this.#failures.map(({ script, form, line, what }) => `FAILED: ${script}:${line} ${form}: ${what}`);
    for (const [name, { passed, failed, waits, notApplicable }] of this.#forms) {
      const none = [...notApplicable.values()].reduce((sum, each) => sum + each, 0);
      lines.push(`${name.padEnd(14)} ${passed} passed, ${failed} failed, ${none} not applicable; ${waits} waits`);
    }
    lines.push('', `${this.#scripts} scripts, Node ${process.versions.node}`, this.line());
    for (const [why, times] of this.#reasons()) lines.push(`  not applicable: ${times} ${why}`);
    return lines.join('\n');
  }

  toJSON(): object {
    const forms = Object.fromEntries(
      [...this.#forms].map(([name, each]) => [
        name,
        { ...each, notApplicable: Object.fromEntries(each.notApplicable) },
      ]),
    );
    const { passed, failed } = this;
    return { node: process.versions.node, scripts: this.#scripts, passed, failed, forms, failures: this.#failures };
  }
}
