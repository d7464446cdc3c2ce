/** Whether a call to the file system failed for one of these reasons: `'ENOENT'`, `'EEXIST'`, … */
export function failedWith(error: unknown, ...codes: string[]): boolean {
  // By shape: an error of the file system need not be an `Error` of this realm.
  if (typeof error !== 'object' || error === null || !('code' in error)) return false;
  return codes.some((code) => code === error.code);
}
