/** Variables whose value is each task's own, and which a task inherits from the one that starts it. */
import * as host from './host';
import { put, Storage, take } from './storage';
import { currentTask } from './task';

/**
 * The values that a task sees: a list that is never changed, only replaced, so that a task inherits it by holding it.
 *
 * @internal
 */
export class Context extends Storage {
  constructor(
    readonly variable: Object,
    public next: Context | null,
  ) {
    super();
  }
}

/** Most programs have no such variable, and need not ask who runs at every start of a task. */
let used = false;

/** @internal The context for a task that is started now. */
export function inherited(): Context | null {
  return used ? seen() : null;
}

/** What the current task sees; in a call without a fiber, which is no task, there is nothing to see. */
function seen(): Context | null {
  return host.current() ? currentTask().context : null;
}

function find(context: Context | null, variable: Object): Context | null {
  let each = context;
  while (each && each.variable != variable) each = each.next;
  return each;
}

/** The list without the entry of one variable; what lies behind that entry is shared. */
function without(context: Context | null, variable: Object): Context | null {
  if (!context) return null;
  if (context.variable == variable) return context.next;
  const copy = new Context(context.variable, without(context.next, variable));
  copy.bits = context.bits;
  copy.ref = context.ref;
  return copy;
}

/**
 * A variable whose value is each task's own. A task starts with the values of the task that started it; what it sets is
 * seen by itself, and by the tasks that it starts from then on.
 *
 * ```ts
 * const user = new TaskLocal<string>('nobody');
 *
 * export function serve(name: string): void {
 *   user.set(name);
 *   spawn(audit, 'login').result(); // sees the same name, whatever other requests do meanwhile
 * }
 * ```
 */
export class TaskLocal<T> {
  /** @param initial where no task has set it */
  constructor(private readonly initial: T) {}

  /** The current task's value; in a call through `guest.sync` the initial one. */
  get(): T {
    if (!used) return this.initial;
    const entry = find(seen(), changetype<Object>(this));
    return entry ? take<T>(entry) : this.initial;
  }

  /**
   * Sets it for the current task.
   *
   * @throws `NO_FIBER` in a call through `guest.sync`
   */
  set(value: T): void {
    const task = currentTask();
    used = true;
    const key = changetype<Object>(this);
    const others = find(task.context, key) ? without(task.context, key) : task.context;
    const entry = new Context(key, others);
    put<T>(entry, value);
    task.context = entry;
  }
}
