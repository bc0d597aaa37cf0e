/** What QuickJS computes: functions of a unit's number, which give an integer. */
import type { Workload } from './program.ts';

export interface Kernel extends Workload {
  /** How often the unit is done. */
  readonly units: number;
  /** An expression: the function. */
  readonly code: string;
}

export const KERNELS: readonly Kernel[] = [
  {
    name: 'loop',
    label: 'a loop with arithmetic',
    units: 60,
    code: `(i) => {
      let sum = i;
      for (let k = 0; k < 15000; k++) sum = (sum + k * 3) % 1048573;
      return sum;
    }`,
  },
  {
    name: 'scheduler',
    label: 'objects and methods: tasks with queues, as in Richards',
    units: 60,
    code: `(() => {
      class Packet {
        constructor(next, kind) { this.next = next; this.kind = kind; this.data = 0; }
        addTo(queue) {
          this.next = null;
          if (queue === null) return this;
          let last = queue;
          while (last.next !== null) last = last.next;
          last.next = this;
          return queue;
        }
      }
      class Task {
        constructor(id) { this.id = id; this.queue = null; this.count = 0; this.held = false; }
        run(scheduler) {
          const packet = this.queue;
          if (packet === null) { this.held = true; return; }
          this.queue = packet.next;
          this.count += packet.kind;
          packet.data = (packet.data * 7 + this.id) & 65535;
          scheduler.send(packet, this);
        }
      }
      class Worker extends Task {
        run(scheduler) { this.count ^= 3; super.run(scheduler); }
      }
      class Scheduler {
        constructor(n) { this.tasks = []; for (let k = 0; k < n; k++) this.tasks.push(k % 2 ? new Worker(k) : new Task(k)); }
        send(packet, from) {
          const to = this.tasks[(from.id + packet.kind + (packet.data & 3)) % this.tasks.length];
          to.held = false;
          to.queue = packet.addTo(to.queue);
        }
        turn() { for (const task of this.tasks) if (!task.held || task.queue !== null) task.run(this); }
      }
      return (i) => {
        const scheduler = new Scheduler(6);
        for (let k = 0; k < 8; k++) scheduler.send(new Packet(null, 1 + (k + i) % 3), scheduler.tasks[k % 6]);
        for (let k = 0; k < 120; k++) scheduler.turn();
        return scheduler.tasks.reduce((sum, task) => sum * 31 + task.count | 0, 0);
      };
    })()`,
  },
  {
    name: 'strings',
    label: 'building strings',
    units: 60,
    code: `(i) => {
      let text = '';
      for (let k = 0; k < 600; k++) text += String.fromCharCode(97 + (k * 7 + i) % 26) + k;
      const parts = text.split('1').map((part, at) => part.slice(at % 3).toUpperCase() + at);
      return parts.join('-').length + text.indexOf('z59') + text.charCodeAt(i);
    }`,
  },
  {
    name: 'regexp',
    label: 'regular expressions',
    units: 60,
    code: `(() => {
      let log = '';
      for (let k = 0; k < 80; k++) log += '2026-01-' + (10 + k % 20) + ' user' + k + '@example.org GET /path/' + k + '?q=' + k * k + '\\n';
      return (i) => {
        let sum = i;
        for (const match of log.matchAll(/(\\d+)-(\\d+)-(\\d+) (\\w+)@([\\w.]+) GET ([^?\\s]+)\\?q=(\\d+)/g)) {
          sum = (sum * 31 + Number(match[7]) + match[4].length) | 0;
        }
        return sum + log.replace(/[aeiou]+(?=[a-z])/g, '').length;
      };
    })()`,
  },
  {
    name: 'sort',
    label: 'a library that calls back: `sort` with a comparator',
    units: 60,
    code: `(i) => {
      let seed = 42 + i;
      const list = [];
      for (let k = 0; k < 300; k++) { seed = (seed * 16807) % 2147483647; list.push({ key: seed }); }
      list.sort((a, b) => a.key - b.key);
      return list.map((each) => each.key % 1000).filter((key) => key > 500).reduce((sum, key) => sum + key, list[150].key % 997);
    }`,
  },
  {
    name: 'json',
    label: 'JSON, to text and back',
    units: 60,
    code: `(i) => {
      const list = [];
      for (let k = 0; k < 40; k++) list.push({ id: k, name: 'item ' + k, tags: ['a', 'b' + i], nested: { x: k / 3, y: null, z: k % 2 === 0 } });
      const text = JSON.stringify(list);
      return JSON.parse(text).reduce((sum, each) => sum + each.id + each.tags.length, text.length);
    }`,
  },
];

/** Defines `run(name, units)`. */
export const SETUP: string = `
const work = { ${KERNELS.map(({ name, code }) => `${name}: ${code}`).join(',\n')} };
globalThis.run = (name, units) => {
  const unit = work[name];
  let sum = 0;
  for (let i = 0; i < units; i++) {
    pause();
    sum = (sum * 31 + unit(i)) | 0;
  }
  return sum;
};
'ready'`;
