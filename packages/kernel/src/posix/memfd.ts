/** memfd_create(2): a file in memory without a name, to hand state to another process. */
import { F_ADD_SEALS } from './constants.ts'
import { fcntl } from './files.ts'
import { answer, bind, type CString, cString, checked, lazily } from './library.ts'

export const MFD_CLOEXEC = 1
export const MFD_ALLOW_SEALING = 2
export const F_SEAL_SEAL = 1
export const F_SEAL_SHRINK = 2
export const F_SEAL_GROW = 4
export const F_SEAL_WRITE = 8

const native = lazily(() => ({
  memfdCreate: bind<(name: CString, flags: number) => number>(
    'memfd_create',
    'int',
    'void *, uint',
  ),
}))

/**
 * @param name shown in /proc/self/fd only
 * @throws MaasError FS_LIMIT
 */
export function memfdCreate(name: string, flags = MFD_CLOEXEC | MFD_ALLOW_SEALING): number {
  return checked(answer(native().memfdCreate(cString(name), flags)), 'memfd_create')
}

/** From now on nobody changes the size or content. @throws MaasError FS_* */
export function sealMemfd(fd: number): void {
  const seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE
  checked(fcntl(fd, F_ADD_SEALS, seals), 'fcntl')
}
