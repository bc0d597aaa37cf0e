/** Sockets: a program gets none from here, so that it is told that what it has is none. */
import { FileError } from '../errors.ts';
import type { Context, WasiFunctions } from './context.ts';

export function socketFunctions({ descriptors }: Context): WasiFunctions {
  const refuse = (fd: number): void => {
    descriptors.get(fd, 0n);
    throw new FileError('ENOTSOCK', `descriptor ${fd} is no socket`);
  };
  return { sock_accept: refuse, sock_recv: refuse, sock_send: refuse, sock_shutdown: refuse };
}
