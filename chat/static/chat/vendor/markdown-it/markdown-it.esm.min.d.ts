// The types of the npm package of the same version, which is a development dependency.
import MarkdownIt from "markdown-it";

export default MarkdownIt;
