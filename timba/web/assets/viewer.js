// The entry point of the script of pages with pictures of files: only they load it.

import { setUpPictureFrame } from "./script/picture-frame.js";
import { setUpViewer } from "./script/viewer.js";

setUpPictureFrame();
setUpViewer();
