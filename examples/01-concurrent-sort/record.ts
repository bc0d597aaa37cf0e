// What the example tells afterwards, gathered from the events of the guest while it runs.
import type { FiberEvent, FiberInfo } from 'wasm-fibers';
import type { Track } from './timeline.ts';

/** The moment at which most fibers were suspended, and what they held then, in bytes. */
export interface Peak {
  readonly suspended: number;
  readonly bytes: number;
  readonly largest: number;
}

interface Recording extends Track {
  resumed: number[];
  ended: number;
}

export class Recorder {
  #tracks = new Map<number, Recording>();
  suspensions = 0;
  peak: Peak = { suspended: 0, bytes: 0, largest: 0 };

  /** The `onEvent` of the guest. */
  readonly onEvent = ({ type, fiber }: FiberEvent): void => {
    const now = performance.now();
    if (type === 'spawn') this.#tracks.set(fiber.id, { name: fiber.name, began: now, resumed: [], ended: now });
    if (type === 'suspend') this.suspensions++;
    const track = this.#tracks.get(fiber.id);
    if (track === undefined) return;
    track.ended = now;
    if (type === 'resume') track.resumed.push(now);
  };

  /** Looks at what `guest.dump()` says at this moment. */
  look(fibers: readonly FiberInfo[]): void {
    const held = fibers.filter((fiber) => fiber.state === 'suspended').map((fiber) => fiber.frameBytes);
    if (held.length <= this.peak.suspended) return;
    const bytes = held.reduce((sum, each) => sum + each, 0);
    this.peak = { suspended: held.length, bytes, largest: Math.max(...held) };
  }

  /** The fibers recorded so far, by their start; recording begins anew. */
  take(): Track[] {
    const tracks = [...this.#tracks.values()];
    this.#tracks = new Map();
    this.suspensions = 0;
    return tracks;
  }
}
