/** Top-level code that waits: it runs when the guest is instantiated, before anybody holds its exports. */

@external('env', 'wait_i32') declare function wait(value: i32): i32;

const words: string[] = [];
for (let i = 0; i < 3; i++) words.push('word ' + wait(i).toString());

const text = '[' + wait(10).toString() + words.join(' and ') + ']';

/** The length of what the top-level code made, if it is what it should be; else 0. */
export function textLength(): i32 {
  return text == '[10word 0 and word 1 and word 2]' ? text.length : 0;
}
