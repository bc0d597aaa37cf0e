/**
 * Wheel, mouse and fingers. The wheel scrolls through the fibers as long as there are more than fit, and zooms over the axis,
 * with Ctrl (which is also what pinching on a touchpad is told as), or if all fit. Fingers scroll up and down by the browser
 * itself; sideways and by two of them they move and zoom here.
 */
import { AXIS, gutterOf } from './paint.ts';
import type { View } from './view.ts';

/** Pixels that a pointer may move and still mean a click. */
const STILL = 4;

interface Point {
  x: number;
  y: number;
}

export interface GestureTarget {
  /** What scrolls, and gets the events. */
  readonly lanes: HTMLElement;
  readonly view: View;
  /** The view has changed. */
  changed(): void;
  /** A place inside of `lanes` was clicked at, or pointed at. */
  clicked(x: number, y: number): void;
  pointed(x: number, y: number): void;
}

export function listen(target: GestureTarget): void {
  const { lanes, view } = target;
  const pointers = new Map<number, Point>();
  let start: Point | null = null;
  let moved = false;

  const place = ({ clientX, clientY }: MouseEvent): Point => {
    const { left, top } = lanes.getBoundingClientRect();
    return { x: clientX - left - lanes.clientLeft, y: clientY - top - lanes.clientTop };
  };
  /** The part of the time's width at a pixel. */
  const part = (x: number): number => {
    const gutter = gutterOf(lanes.clientWidth);
    return Math.min(1, Math.max(0, (x - gutter) / (lanes.clientWidth - gutter)));
  };
  const room = (): number => lanes.clientWidth - gutterOf(lanes.clientWidth);

  lanes.addEventListener(
    'wheel',
    (event) => {
      const unit = event.deltaMode === 0 ? 1 : event.deltaMode === 1 ? 16 : 400;
      const { x, y } = place(event);
      const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
      const pinched = event.ctrlKey || event.metaKey;
      if (pinched || (!event.shiftKey && y < AXIS) || (lanes.scrollHeight <= lanes.clientHeight && sideways === 0)) {
        const by = Math.min(120, Math.max(-120, event.deltaY * unit));
        view.zoom(Math.exp(by * (pinched && Math.abs(event.deltaY) < 40 ? 0.01 : 0.003)), part(x));
      } else if (Math.abs(sideways) > Math.abs(event.deltaY) || event.shiftKey) view.pan((sideways * unit) / room());
      else return;
      event.preventDefault();
      target.changed();
    },
    { passive: false },
  );

  lanes.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || event.offsetX > lanes.clientWidth) return;
    pointers.set(event.pointerId, place(event));
    start = place(event);
    moved = pointers.size > 1;
  });
  lanes.addEventListener('pointermove', (event) => {
    const here = place(event);
    const before = pointers.get(event.pointerId);
    if (before === undefined || start === null) {
      target.pointed(here.x, here.y);
      return;
    }
    if (!moved && Math.hypot(here.x - start.x, here.y - start.y) < STILL) return;
    if (!moved && event.pointerType === 'mouse') lanes.setPointerCapture(event.pointerId);
    moved = true;
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    if (other === undefined) {
      view.pan((before.x - here.x) / room());
      // Fingers scroll by themselves.
      if (event.pointerType === 'mouse') lanes.scrollTop += before.y - here.y;
      lanes.classList.add('dragged');
    } else {
      const [old, now] = [Math.abs(before.x - other.x), Math.abs(here.x - other.x)];
      view.zoom(Math.max(8, old) / Math.max(8, now), part((here.x + other.x) / 2));
      view.pan((before.x - here.x) / 2 / room());
    }
    pointers.set(event.pointerId, here);
    target.changed();
  });
  const release = (event: PointerEvent): void => {
    const held = pointers.delete(event.pointerId);
    lanes.classList.remove('dragged');
    if (!held || moved || event.type !== 'pointerup') return;
    const here = place(event);
    target.clicked(here.x, here.y);
  };
  lanes.addEventListener('pointerup', release);
  lanes.addEventListener('pointercancel', release);
}
