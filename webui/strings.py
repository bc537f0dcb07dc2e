"""The page's own words in English and Chinese. Knows nothing of HTML: whoever shows them escapes.

Messages from the engine and the models (errors, notes, reasons) are translated by their template.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Final, Literal

from rag.messages import Message

Language = Literal["en", "zh"]

_WORDS: Final[dict[str, tuple[str, str]]] = {
    # key: (English, Chinese)
    "title": ("Ask your PDFs", "问你的 PDF"),
    "documents": ("Documents", "文档"),
    "conversation": ("Conversation", "对话"),
    "source": ("Source", "来源"),
    "language": ("中文", "English"),
    "theme": ("Switch between light and dark", "切换浅色与深色"),
    "log_out": ("Log out", "退出登录"),
    # What the program picked.
    "reader": ("Reader", "阅读器"),
    "quote_reader": ("Quote reader · no model", "原文摘录 · 无模型"),
    "no_model": ("none", "无"),
    "embedder": ("Embedder", "嵌入模型"),
    "reranker": ("Reranker", "重排模型"),
    "device": ("Device", "设备"),
    "index": ("Index", "索引"),
    "loading": ("loading", "载入中"),
    "failed": ("failed", "失败"),
    "status": ("What is running, and why", "当前运行的组件及原因"),
    "reader_loading": ("model loading", "模型载入中"),
    "reader_failed": ("model failed", "模型载入失败"),
    # Picking a model.
    "model_choose": ("Choose a model", "选择模型"),
    "model_quote": ("Quote reader (no model)", "原文摘录（不用模型）"),
    "model_quote_hint": ("Answers by quoting sentences from your documents", "直接引用文档原句作答"),
    "model_context": ("{n}K context", "上下文 {n}K"),
    "model_licence_own": ("custom licence", "自有许可证"),
    "model_here": ("on this machine", "本机已有"),
    "model_away": ("not on this machine", "本机没有"),
    "model_fetched": ("will be downloaded", "需要下载"),
    "model_fits": ("fits in memory", "内存足够"),
    "model_too_large": ("too large", "内存不足"),
    "model_fetch_hint": (
        "To use a model that is not on this machine yet, restart with --allow-download.",
        "要使用本机没有的模型，请加上 --allow-download 重新启动。",
    ),
    "model_other": ("Another model: its Hugging Face hub id", "其他模型：Hugging Face 名称"),
    "model_other_folder": (
        "Another model: its Hugging Face hub id, or a folder",
        "其他模型：Hugging Face 名称或本机文件夹",
    ),
    "model_precision": ("Precision", "精度"),
    "model_auto": ("auto", "自动"),
    "model_load": ("Use this model", "使用该模型"),
    "model_note": (
        "GB: memory needed to load the model and answer, estimated from its published size.",
        "GB 指载入模型并作答所需的内存，按公布的参数规模估算。",
    ),
    # Adding documents.
    "add": ("Add PDFs", "添加 PDF"),
    "drop": ("Drop PDFs here, or click to choose", "把 PDF 拖到这里，或点击选择"),
    "drop_limit": ("Up to {megabytes} MB per file", "每个文件不超过 {megabytes} MB"),
    "sending": ("Uploading", "正在上传"),
    "not_sent": (
        "“{name}” could not be uploaded: the server did not answer. Try again.",
        "“{name}”上传失败：服务器没有响应。请重试。",
    ),
    "too_large": (
        "“{name}” is {size} MB, the limit is {limit} MB. Split it, or restart with a higher --max-file-mb.",
        "“{name}”大小为 {size} MB，超过 {limit} MB 的上限。请拆分文件，或调高 --max-file-mb 后重新启动。",
    ),
    "waiting": ("Waiting", "排队中"),
    "reading": ("Reading", "正在读取"),
    "embedding": ("Indexing", "正在建立索引"),
    "locked": ("Password required", "需要密码"),
    "job_failed": ("Could not be added", "添加失败"),
    "pages_read": ("page {read} of {pages}", "第 {read} / {pages} 页"),
    "pages_read_unknown": ("page {read}", "第 {read} 页"),
    "passages_embedded": ("{embedded} of {passages} passages", "{embedded} / {passages} 个段落"),
    "per_second": ("{speed} per second", "每秒 {speed} 个"),
    "left": ("{time} left", "还需 {time}"),
    "seconds": ("{n} s", "{n} 秒"),
    "minutes": ("{n} min", "{n} 分钟"),
    "hours": ("{n} h", "{n} 小时"),
    "progress": ("Progress of {name}", "{name} 的进度"),
    "password": ("Password for {name}", "{name} 的密码"),
    "password_hint": ("Password", "密码"),
    "unlock": ("Unlock", "解锁"),
    "cancel": ("Cancel {name}", "取消添加 {name}"),
    "dismiss": ("Dismiss {name}", "关闭 {name} 的提示"),
    "dismiss_notice": ("Dismiss", "关闭"),
    "more_jobs": ("and {n} more", "还有 {n} 个"),
    # The list of documents.
    "no_documents": ("No documents yet", "还没有文档"),
    "no_documents_hint": (
        "Add PDFs and ask questions about them. They stay on this machine.",
        "添加 PDF 后即可提问。文件不会离开这台机器。",
    ),
    "scope": ("Searching {chosen} of {all} documents", "检索 {all} 个文档中的 {chosen} 个"),
    "all": ("All", "全选"),
    "none": ("None", "全不选"),
    "search_document": ("Search {name}", "检索 {name}"),
    "remove": ("Remove {name}", "移除 {name}"),
    "remove_sure": ("Remove?", "确定移除？"),
    "shared": ("shared", "共享"),
    "filter": ("Filter documents", "筛选文档"),
    "details": ("Details of {name}", "{name} 的详细信息"),
    "author": ("Author", "作者"),
    "created": ("Created", "创建日期"),
    "outline": ("Contents", "目录"),
    "more_headings": ("and {n} more", "还有 {n} 项"),
    "page_notes": ("Pages with problems", "有问题的页"),
    "no_details": ("The file states no author, date or table of contents.", "文件没有注明作者、日期或目录。"),
    "notes": ("Notes", "说明"),
    "pages": ("{n} pages", "{n} 页"),
    "page_one": ("1 page", "1 页"),
    "kind_scanned": ("{n} scanned", "{n} 页为扫描件"),
    "kind_garbled": ("{n} unreadable", "{n} 页无法辨认"),
    "kind_empty": ("{n} blank", "{n} 页空白"),
    "kind_failed": ("{n} damaged", "{n} 页已损坏"),
    # Asking.
    "question": ("Question", "问题"),
    "question_hint": ("Ask a question about your documents…", "就你的文档提问…"),
    "ask": ("Ask", "提问"),
    "stop": ("Stop", "停止"),
    "new": ("New conversation", "新对话"),
    "welcome": ("What would you like to know?", "想了解什么？"),
    "welcome_hint": (
        "Every sentence of an answer cites its source. Click a number to see the page it comes from.",
        "答案的每句话都标有出处。点击编号，即可查看对应的原页。",
    ),
    "searching": ("Searching the documents…", "正在检索文档…"),
    "reading_sources": ("Reading {n} sources…", "正在阅读 {n} 个来源…"),
    "understood_as": ("Understood as:", "理解为："),
    "edit": ("Edit", "修改"),
    "ask_as_typed": ("Ask as typed", "按原样提问"),
    "searched_parts": ("Searched separately for: {parts}", "已拆分检索：{parts}"),
    "sources": ("Sources", "来源"),
    "more_sources": ("{n} more sources", "另外 {n} 个来源"),
    "nearest": ("Closest passages", "最接近的段落"),
    "state_closest": ("Closest found", "最接近的内容"),
    "state_none": ("Not in these documents", "这些文档中没有答案"),
    "missing": ("Nothing about {names} in these documents.", "这些文档中没有关于 {names} 的内容。"),
    "why_closest": (
        "The documents do not answer this question directly. This comes nearest.",
        "文档没有直接回答这个问题，以下内容最为接近。",
    ),
    "why_none": ("The documents do not answer this question.", "文档中没有找到答案。"),
    "answer_anyway": ("Answer anyway", "仍要回答"),
    "page": ("p. {label}", "第 {label} 页"),
    "open_source": ("Open source {n}: {document}, page {label}", "打开来源 {n}：{document}，第 {label} 页"),
    "no_source": ("no source", "无来源"),
    "no_source_hint": ("None of the sources supports this sentence.", "所列来源都不支持这句话。"),
    "conflict_hint": ("A source says something else.", "来源的说法与此不同。"),
    "wrong_sum": ("miscalculated", "计算有误"),
    "wrong_sum_hint": ("When recalculated, the result is different.", "重新计算后结果不同。"),
    "source_says": ("source {n} says", "来源 {n} 称"),
    "stopped": ("Stopped", "已停止"),
    "answered": ("The answer is complete.", "回答完毕。"),
    "took": ("{seconds} s", "{seconds} 秒"),
    "scale_percent": ("{value}%", "{value}%"),
    "scale_thousand": ("{value} thousand", "{value} 千"),
    "scale_ten_thousand": ("{value} × 10,000", "{value} 万"),
    "scale_million": ("{value} million", "{value} 百万"),
    "scale_hundred_million": ("{value} × 100 million", "{value} 亿"),
    "scale_billion": ("{value} billion", "{value} 十亿"),
    "perhaps": ("Perhaps: {value}", "可能是：{value}"),
    "copy": ("Copy", "复制"),
    "copied": ("Copied", "已复制"),
    # The viewer.
    "viewer_empty": ("Click a number in an answer to see its page here.", "点击答案中的编号，在此查看原页。"),
    "page_of": ("Page {label}", "第 {label} 页"),
    "page_count": ("{n} of {pages}", "{n} / {pages}"),
    "previous_page": ("Previous page", "上一页"),
    "next_page": ("Next page", "下一页"),
    "back_to_source": ("Back to the passage", "回到引用段落"),
    "close": ("Close", "关闭"),
    "page_alone": ("Page {label} of {document}", "{document} 第 {label} 页"),
    "page_picture": (
        "Page {label} of {document}, with the passage highlighted",
        "{document} 第 {label} 页，段落已高亮",
    ),
    "passage": ("Passage", "段落"),
    # Why a source was found.
    "why_these": ("Why these sources?", "为什么选中这些来源？"),
    "why_this": ("Why this source?", "为什么选中这个来源？"),
    "why_hint": (
        "Each method gives a score and a rank; sources are ordered by the combined score. If a question has "
        "several parts or compares documents, each is searched on its own and the results are interleaved.",
        "每种检索方法都给出得分和排名，来源按综合得分排序。若问题包含多个部分或需要比较多个文档，则分别检索，结果交替排列。",
    ),
    "signal_vectors": ("meaning", "语义"),
    "signal_words": ("keywords", "关键词"),
    "signal_document": ("document", "文档"),
    "signal_overlap": ("term overlap", "词语重合"),
    "signal_page": ("page and tables", "页面与表格"),
    "together": ("combined", "综合"),
    "score": ("score", "得分"),
    "rank_column": ("rank", "排名"),
    # Evaluating the search.
    "views": ("Conversation or evaluation", "对话或评测"),
    "evaluate": ("Evaluate", "评测"),
    "mark_correct": ("Mark as correct page", "标为正确页"),
    "mark_correct_hint": (
        "Save this question with this page as its correct page, to measure the search",
        "保存这个问题，并把本页记为正确页，用来评测检索效果",
    ),
    "marked_correct": ("✓ Correct page", "✓ 正确页"),
    "marked_correct_hint": (
        "Saved as a correct page for “{question}”. Click again to undo.",
        "已记为“{question}”的正确页。再次点击可撤销。",
    ),
    "evaluation_hint": (
        "Measure how well your documents are searched, and whether a change improved the search.",
        "衡量检索效果，看看一次改动是变好还是变差。",
    ),
    "evaluation_ask": (
        "Ask a question, and click the number of the source that answers it.",
        "提出一个问题，点击能回答它的来源编号。",
    ),
    "evaluation_mark": (
        "Click “Mark as correct page” above the page. This saves the question; you can mark further pages.",
        "点击原页上方的“标为正确页”，问题随之保存；还可以标记更多页。",
    ),
    "evaluation_run": (
        "Run the saved questions here, now and after each change of documents or settings.",
        "在这里运行已保存的问题；每次更换文档或设置后，再运行一次。",
    ),
    "run": ("Run all questions", "运行全部问题"),
    "running": ("Progress of the run", "运行进度"),
    "run_whole": ("All documents are searched, whether they are ticked or not.", "始终检索全部文档，与是否勾选无关。"),
    "run_progress": ("Question {done} of {total}", "第 {done} / {total} 个问题"),
    "export": ("Export", "导出"),
    "export_hint": (
        "Save the questions as JSON Lines, for python -m rag.evaluate",
        "将问题保存为 JSON Lines，供 python -m rag.evaluate 使用",
    ),
    "quality": ("Questions with a correct page found", "找到正确页的问题比例"),
    "recall_at": ("recall@{k}", "召回率@{k}"),
    "mrr": ("MRR", "平均倒数排名"),
    "latency": ("Search time", "检索用时"),
    "median": ("median", "中位数"),
    "p95": ("95th percentile", "第 95 百分位"),
    "changes": ("What changed", "变化"),
    "against": ("Compare the newest run with", "最近一次与以下运行比较"),
    "among_first": ("Found among the first", "只看前几名"),
    "lost": ("No longer found", "不再找到"),
    "won": ("Newly found", "新找到"),
    "moved": ("Rank changed", "排名变化"),
    "other_pages": ("Correct pages changed", "正确页有改动"),
    "same": ("{n} unchanged", "{n} 个没有变化"),
    "rank": ("rank {n}", "第 {n} 名"),
    "rank_none": ("not found", "未找到"),
    "not_run": ("not run yet", "尚未运行"),
    "not_run_pages": ("not run since its pages changed", "正确页改动后尚未运行"),
    "no_correct_page": ("skipped: no correct page", "已跳过：没有正确页"),
    "skipped_removed": ("skipped: document removed", "已跳过：文档已移除"),
    "removed_document": ("removed document", "已移除的文档"),
    "saved_questions": ("Saved questions · {n}", "已保存的问题 · {n}"),
    "remove_question": ("Remove the question “{question}”", "移除问题“{question}”"),
    "unmark": ("Not a correct page", "取消正确页"),
    "runs": ("Runs · {n}", "运行记录 · {n}"),
    "run_time": ("Run", "时间"),
    "question_count": ("questions", "问题数"),
    "of_questions": ("{n} of {m} questions", "{m} 个问题中的 {n} 个"),
    "remove_run": ("Remove the run of {time}", "移除 {time} 的运行记录"),
    "made_with": (
        "{embedder} · {documents} documents · {passages} passages",
        "{embedder} · {documents} 个文档 · {passages} 个段落",
    ),
    "nothing_differs": ("Same documents and settings", "文档和设置都没有变化"),
    "differs_embedder": ("embedder", "嵌入模型"),
    "differs_documents": ("documents", "文档"),
    "differs_passages": ("passages", "段落"),
    "differs_questions": ("questions", "问题"),
    "differs_reranker": ("reranker", "重排模型"),
    "differs_other_questions": ("different questions", "问题有改动"),
    "differs_right_pages": ("different correct pages", "正确页有改动"),
    "differs_library": ("different documents", "文档有改动"),
}  # fmt: skip

LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")


def say(language: Language, key: str, **values: object) -> str:
    """The words for `key`, plain text. Raises KeyError for a key that is not there."""
    text = _WORDS[key][LANGUAGES.index(language)]
    return text.format(**values) if values else text


@cache
def chinese_messages() -> dict[str, str]:
    """Chinese templates of the messages of all packages by their English ones."""
    with Path(__file__).with_name("zh.toml").open("rb") as file:
        return dict(tomllib.load(file))


def say_message(language: Language, message: Message | str) -> str:
    """A message in the page's language, in English where there is no translation; text alone as it is."""
    if isinstance(message, str):
        return message
    template = chinese_messages().get(message.template, message.template) if language == "zh" else message.template
    values = {
        name: say_message(language, value) if isinstance(value, Message) else value
        for name, value in message.values.items()
    }
    return template.format(**values) if values else template


def pick_language(cookie: str | None, accept: str | None) -> Language:
    """The language chosen before (a cookie), else the first one of Accept-Language that there is, else English."""
    if cookie == "zh":
        return "zh"
    if cookie == "en":
        return "en"
    for part in (accept or "").split(","):
        tag = part.split(";")[0].strip().lower()
        if tag.startswith("zh"):
            return "zh"
        if tag.startswith("en"):
            return "en"
    return "en"
