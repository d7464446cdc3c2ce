/** The keys under which Nest keeps what its decorators record. It does not export them. */
export const NEST_METADATA = {
  controller: '__controller__',
  path: 'path',
  method: 'method',
  version: '__version__',
  sse: '__sse__',
  modulePath: '__module_path__',
} as const;
