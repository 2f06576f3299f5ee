//! Deliveries as rows: new ones, and what becomes of each try. Tries nothing itself.

use crate::base::error::Result;
use crate::limits::notices as limits;
use crate::model::channel::Channel;
use crate::model::notice::Delivery;
use crate::model::notice::DeliveryState;
use crate::service::notices::send::Sent;
use crate::store::channels;
use crate::store::tx::Tx;

/// A delivery that waits.
pub fn waiting(notice: i64, channel: &Channel, due_ms: i64) -> Delivery {
    Delivery {
        notice,
        channel: channel.id.clone(),
        channel_name: channel.name.clone(),
        state: DeliveryState::Waiting,
        tries: 0,
        due_ms,
        at_ms: None,
        detail: None,
    }
}

/// Writes into a delivery what became of a try.
pub fn settle(delivery: &mut Delivery, sent: &Sent, now_ms: i64) {
    let tried = delivery.tries as usize;
    delivery.tries += 1;
    delivery.at_ms = Some(now_ms);
    let (state, words) = match sent {
        Sent::Done(words) => (DeliveryState::Sent, words),
        Sent::Failed(words) => (DeliveryState::Failed, words),
        Sent::Retry(words) => match limits::RETRIES.get(tried) {
            Some(pause) => {
                delivery.due_ms = now_ms + pause.as_millis() as i64;
                (DeliveryState::Waiting, words)
            }
            None => (DeliveryState::Failed, words),
        },
    };
    delivery.state = state;
    delivery.detail = Some(words.clone()).filter(|words| !words.is_empty());
}

/// Notes at its channel how a delivery went.
pub fn note_channel(tx: &Tx<'_>, done: &Delivery) -> Result<()> {
    let at_ms = done.at_ms.unwrap_or(done.due_ms);
    channels::note(tx, &done.channel, (done.state.word(), at_ms, done.detail.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_tried_again_with_growing_pauses_and_then_given_up() {
        let (state, at_ms, detail) = (DeliveryState::Waiting, None, None);
        let (channel, channel_name) = ("c".to_string(), "name".to_string());
        let mut one = Delivery {
            notice: 1,
            channel,
            channel_name,
            state,
            tries: 0,
            due_ms: 5,
            at_ms,
            detail,
        };
        let mut last = 0;
        for pause in limits::RETRIES {
            settle(&mut one, &Sent::Retry("down".into()), 1000);
            assert_eq!(one.state, DeliveryState::Waiting);
            assert_eq!(one.due_ms, 1000 + pause.as_millis() as i64);
            assert!(one.due_ms > last, "they grow");
            last = one.due_ms;
        }
        settle(&mut one, &Sent::Retry("down".into()), 1000);
        assert_eq!((one.state, one.tries), (DeliveryState::Failed, 6));
        assert_eq!(one.detail.as_deref(), Some("down"));
        settle(&mut one, &Sent::Done(String::new()), 2000);
        assert_eq!((one.state, one.at_ms, one.detail), (DeliveryState::Sent, Some(2000), None));
    }
}
