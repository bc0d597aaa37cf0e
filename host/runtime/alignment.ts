/** Addresses of stacks and of the window are multiples of this, as LLVM's and Asyncify's code expects. */
export const ALIGNMENT = 16;

export function alignDown(bytes: number): number {
  return Math.floor(bytes / ALIGNMENT) * ALIGNMENT;
}

export function alignUp(bytes: number): number {
  return alignDown(bytes + ALIGNMENT - 1);
}
