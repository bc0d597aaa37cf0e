/**
 * Reading and writing through a descriptor. The position of a file belongs to whoever reads or writes at the moment: others
 * that share the descriptor wait, so that two fibers never get the same bytes nor write over each other.
 */
import { FDFLAGS, RIGHTS, WHENCE } from '../abi.ts';
import type { FileDescriptor, StreamDescriptor } from '../descriptors.ts';
import { FileError } from '../errors.ts';
import { type Vector, totalOf } from '../memory.ts';
import { type Steps, settle } from '../steps.ts';
import { eventLoopTurn } from '../turn.ts';
import type { Context, WasiFunctions } from './context.ts';

/** What is read or written at once; a program that wants more asks again. */
const MOST_BYTES = 16 << 20;

const MOST_POSITION = BigInt(Number.MAX_SAFE_INTEGER);

export function dataFunctions(context: Context): WasiFunctions {
  const { memory, descriptors, calls } = context;

  /** Hands what was read to the guest. */
  function give(vectors: readonly Vector[], resultAt: number, bytes: Uint8Array): void {
    memory.check(resultAt, 4);
    memory.scatter(vectors, bytes);
    memory.setUint32(resultAt, bytes.length);
  }

  /** A stream or a file with these rights; a directory has no bytes. */
  function withBytes(fd: number, rights: bigint): FileDescriptor | StreamDescriptor {
    if (descriptors.get(fd, 0n).kind === 'directory') throw new FileError('EISDIR', `descriptor ${fd} is a directory`);
    // What it is was just seen.
    return descriptors.get(fd, rights) as FileDescriptor | StreamDescriptor;
  }

  function* readStream({ input, flags }: StreamDescriptor, length: number): Steps<Uint8Array> {
    if (input === null) throw new FileError('EBADF', 'the stream is for writing');
    if (!input.ready && (flags & FDFLAGS.NONBLOCK) !== 0) {
      // What is to come can only come if the event loop gets its turn.
      if (context.canWait()) yield* settle(Promise.race([input.whenReady(), eventLoopTurn()]));
      calls.mustBeAwaited();
      if (!input.ready) throw new FileError('EAGAIN', 'there is no input yet');
    }
    if (length === 0) return new Uint8Array(0);
    while (!input.ready) {
      yield* settle(input.whenReady());
      // What has come is for somebody who waits for it.
      calls.mustBeAwaited();
    }
    return input.take(length);
  }

  return {
    *fd_read(fd: number, vectorsAt: number, count: number, resultAt: number): Steps<void> {
      const descriptor = withBytes(fd, RIGHTS.FD_READ);
      const vectors = memory.vectors(vectorsAt, count);
      memory.check(resultAt, 4);
      const length = Math.min(totalOf(vectors), MOST_BYTES);
      if (descriptor.kind === 'stream') {
        give(vectors, resultAt, yield* readStream(descriptor, length));
        return;
      }
      yield* descriptor.lock.run(function* () {
        const bytes = yield* calls.look(descriptor.file.read(length, descriptor.position));
        give(vectors, resultAt, bytes);
        descriptor.position += bytes.length;
      });
    },

    *fd_pread(fd: number, vectorsAt: number, count: number, offset: bigint, resultAt: number): Steps<void> {
      const { file } = descriptors.file(fd, RIGHTS.FD_READ | RIGHTS.FD_SEEK);
      const vectors = memory.vectors(vectorsAt, count);
      memory.check(resultAt, 4);
      const position = positionOf(offset);
      give(vectors, resultAt, yield* calls.look(file.read(Math.min(totalOf(vectors), MOST_BYTES), position)));
    },

    *fd_write(fd: number, vectorsAt: number, count: number, resultAt: number): Steps<void> {
      const descriptor = withBytes(fd, RIGHTS.FD_WRITE);
      const vectors = memory.vectors(vectorsAt, count);
      memory.check(resultAt, 4);
      const bytes = memory.gather(vectors, MOST_BYTES);
      const { length } = bytes;
      if (descriptor.kind === 'stream') {
        if (descriptor.output === null) throw new FileError('EBADF', 'the stream is for reading');
        if (!descriptor.output.ready && (descriptor.flags & FDFLAGS.NONBLOCK) !== 0) {
          if (context.canWait()) yield* settle(eventLoopTurn());
          if (!descriptor.output.ready) throw new FileError('EAGAIN', 'the output is full');
        }
        yield* descriptor.output.write(bytes);
      } else {
        yield* descriptor.lock.run(function* () {
          const position = descriptor.appends ? (yield* calls.look(descriptor.file.stat())).size : descriptor.position;
          yield* writeFile(context, descriptor, bytes, position);
          descriptor.position = position + length;
        });
      }
      memory.setUint32(resultAt, length);
    },

    *fd_pwrite(fd: number, vectorsAt: number, count: number, offset: bigint, resultAt: number): Steps<void> {
      const descriptor = descriptors.file(fd, RIGHTS.FD_WRITE | RIGHTS.FD_SEEK);
      const vectors = memory.vectors(vectorsAt, count);
      memory.check(resultAt, 4);
      const position = positionOf(offset);
      const bytes = memory.gather(vectors, MOST_BYTES);
      const { length } = bytes;
      // It moves nothing, but whoever closes the descriptor waits for it.
      yield* descriptor.lock.run(() => writeFile(context, descriptor, bytes, position));
      memory.setUint32(resultAt, length);
    },

    *fd_seek(fd: number, offset: bigint, whence: number, resultAt: number): Steps<void> {
      const by = BigInt.asIntN(64, offset);
      const asksOnly = whence === WHENCE.CUR && by === 0n;
      const descriptor = descriptors.file(fd, asksOnly ? RIGHTS.FD_TELL : RIGHTS.FD_SEEK);
      memory.check(resultAt, 8);
      if (whence > WHENCE.END) throw new FileError('EINVAL', `there is no whence ${whence}`);
      yield* descriptor.lock.run(function* () {
        let from = 0;
        if (whence === WHENCE.CUR) from = descriptor.position;
        else if (whence === WHENCE.END) from = (yield* calls.look(descriptor.file.stat())).size;
        const position = BigInt(from) + by;
        if (position < 0n || position > MOST_POSITION) throw new FileError('EINVAL', `no file has a place ${position}`);
        descriptor.position = Number(position);
        memory.setUint64(resultAt, position);
      });
    },

    fd_tell(fd: number, resultAt: number) {
      memory.setUint64(resultAt, BigInt(descriptors.file(fd, RIGHTS.FD_TELL).position));
    },
  };
}

function* writeFile(
  { calls }: Context,
  { file, syncs }: FileDescriptor,
  bytes: Uint8Array<ArrayBuffer>,
  position: number,
): Steps<void> {
  const { write } = file;
  if (write === undefined) throw new FileError('EROFS', 'the file cannot be written to');
  yield* calls.change(() => (bytes.length > 0 ? write.call(file, bytes, position) : undefined));
  if (syncs) yield* settle(file.sync?.());
}

/** An offset that a file can have. */
export function positionOf(offset: bigint): number {
  if (offset > MOST_POSITION) throw new FileError('EINVAL', `no file has a place ${offset}`);
  return Number(offset);
}
