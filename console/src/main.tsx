import "uplot/dist/uPlot.min.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/chat.css";
import "./styles/panels.css";
import { render } from "preact";
import { App } from "./app.tsx";
import { persistChats } from "./chat/store.ts";
import { followSession } from "./session/session.ts";
import { followTheme } from "./ui/theme.ts";

followTheme();
persistChats();
followSession();
render(<App />, document.getElementById("app") ?? document.body);
