/** Fibers that keep the memory growing: what each leaves behind at a lap is never freed. */

@external('env', 'wait_void') declare function wait(): void;

const left = new Array<StaticArray<u8>>();

/** Waits `count` times, with a reference on the stack. */
export function laps(count: i32): i32 {
  const mine = new StaticArray<u8>(8);
  for (let i = 0; i < count; i++) {
    wait();
    left.push(new StaticArray<u8>(24));
    mine[i & 7] += 1;
  }
  let sum = 0;
  for (let i = 0; i < 8; i++) sum += mine[i];
  return sum;
}
