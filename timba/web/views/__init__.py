"""The page views, one module per noun: fetch through `visible_to`, call one service, render."""
