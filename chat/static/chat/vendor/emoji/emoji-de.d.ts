/** [name, words to search by], in the order of emoji.js */
declare const names: [name: string, words: string][];
export default names;
