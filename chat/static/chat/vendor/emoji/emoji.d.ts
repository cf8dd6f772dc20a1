/** [emoji, name, words to search by] */
export type Emoji = [emoji: string, name: string, words: string];
declare const groups: [name: string, emoji: Emoji[]][];
export default groups;
