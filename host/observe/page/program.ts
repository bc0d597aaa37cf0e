/**
 * The program of the timeline's page, as text: `npm run build` puts it here, in the published form of this file, once it has
 * compiled the modules beside it and made one of them (build-pages.mjs). Reading the modules when a page is written, as the
 * command's report does, is possible in Node only, and not where an application was bundled.
 */
export const PROGRAM: string = '';
