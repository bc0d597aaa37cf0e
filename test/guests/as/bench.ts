// What `npm run bench:guests` has AssemblyScript compute: each function waits for the host before each of its units.
@external("env", "pause") declare function pause(): void;

/** For a driver that needs room in memory. */
export function reserve(size: i32): usize {
  return heap.alloc(size);
}

class Vector {
  constructor(
    public x: f64,
    public y: f64,
  ) {}
  add(other: Vector): Vector {
    return new Vector(this.x + other.x, this.y + other.y);
  }
}

export function objects(units: i32): i32 {
  let sum = new Vector(0, 0);
  for (let unit = 0; unit < units; unit++) {
    pause();
    for (let i = 0; i < 7000; i++) sum = sum.add(new Vector(i, unit));
  }
  return ((sum.x + sum.y) % 1e9) as i32;
}

export function strings(units: i32): i32 {
  let total = 0;
  for (let unit = 0; unit < units; unit++) {
    pause();
    const parts: string[] = [];
    for (let i = 0; i < 1500; i++) parts.push(i.toString() + ":" + "ab".repeat(i % 5));
    const text = parts.join(",");
    total = total * 31 + text.length + text.split("a").length + text.indexOf("1400:");
  }
  return total;
}

export function maps(units: i32): i32 {
  let total = 0;
  for (let unit = 0; unit < units; unit++) {
    pause();
    const counts = new Map<i32, i32>();
    for (let i = 0; i < 12000; i++) {
      const key = (i * 7919 + unit) % 1009;
      counts.set(key, (counts.has(key) ? counts.get(key) : 0) + i);
    }
    const values = counts.values();
    for (let i = 0; i < values.length; i++) total = total * 31 + values[i];
  }
  return total;
}

export function sort(units: i32): i32 {
  let total = 0;
  for (let unit = 0; unit < units; unit++) {
    pause();
    const list = new Array<i32>(6000);
    let seed = 42 + unit;
    for (let i = 0; i < list.length; i++) {
      seed = seed * 1103515245 + 12345;
      list[i] = seed >> 8;
    }
    list.sort((a, b) => a - b);
    total = total * 31 + list[3000];
  }
  return total;
}

class Parser {
  private at: i32 = 0;
  constructor(private readonly text: string) {}

  value(): i32 {
    const code = this.text.charCodeAt(this.at++);
    if (code == 0x5b) return this.list(0x5d, false);
    if (code == 0x7b) return this.list(0x7d, true);
    if (code == 0x22) {
      const from = this.at;
      while (this.text.charCodeAt(this.at) != 0x22) this.at++;
      return this.text.substring(from, this.at++).length;
    }
    let number = code - 0x30;
    let digit = this.text.charCodeAt(this.at) - 0x30;
    while (digit >= 0 && digit <= 9) {
      number = number * 10 + digit;
      digit = this.text.charCodeAt(++this.at) - 0x30;
    }
    return number;
  }

  private list(end: i32, keyed: bool): i32 {
    let sum = 1;
    while (this.text.charCodeAt(this.at) != end) {
      if (keyed) {
        sum += this.value();
        this.at++; // the colon
      }
      sum = sum * 31 + this.value();
      if (this.text.charCodeAt(this.at) == 0x2c) this.at++;
    }
    this.at++;
    return sum;
  }
}

export function json(units: i32): i32 {
  const items: string[] = [];
  for (let i = 0; i < 400; i++) items.push('{"id":' + i.toString() + ',"name":"item","tags":["a","b",' + i.toString() + "]}");
  const text = "[" + items.join(",") + "]";
  let total = 0;
  for (let unit = 0; unit < units; unit++) {
    pause();
    for (let i = 0; i < 4; i++) total = total * 31 + new Parser(text).value();
  }
  return total;
}
